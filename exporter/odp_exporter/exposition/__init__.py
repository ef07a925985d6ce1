"""What is known, as Prometheus reads it: the exporter's metric families and its pages.

A page shows the latest observations; asking for one probes nothing and opens
no file. What the families are called stands in families.py and nowhere else.
"""
