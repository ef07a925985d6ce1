"""Would an ODP come back from a restart, and would it live through an outage of OCP? Pure.

reasons.py has the words, start.py what ODP does when it starts, verdict.py
what that means, comparison.py how OCP and the cache differ. Observations in,
verdicts with reasons out; nothing here asks, waits or remembers.
"""
