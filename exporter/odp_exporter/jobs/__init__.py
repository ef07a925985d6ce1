"""Joins targets, probes and the store: one job per target, or one for all of this host.

Each job asks its probe once and hands what came back to the store. Probes that
block get a thread; those that look at this host share a single one, so that
they never run twice at a time.
"""
