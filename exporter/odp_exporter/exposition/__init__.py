"""What is known, as Prometheus reads it: metric families, pages, and the HTTP server that gives them out.

A page shows the latest observations; asking for one probes nothing and opens
no file. What the families are called stands in families.py and nowhere else.
"""
