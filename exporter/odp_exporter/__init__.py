"""Measures OceanBase Database Proxy (ODP) for Prometheus, and repairs it."""

__version__ = "0.1.0"
