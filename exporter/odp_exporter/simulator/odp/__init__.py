"""ODP as a process: its command line, ports, greeting, logs, signals, cache files and exit statuses.

It shows an observer what obproxy shows (odp-facts), on Python's standard
library alone, so that it listens as fast as obproxy does. What differs:

* it never signals a parent that only adopted it: real ODP sends SIGUSR2 to whatever subreaper it finds;
* threads are not named after accept and event threads;
* `http_proxy` is not honoured when it asks OCP;
* behind a login to a cluster there is no SQL: every query is answered with OK.

The environment of the process, for the simulator only:

    OBPROXY_SIM_RELEASE            the release to be, `4.3.1` when absent
    OBPROXY_SIM_OWNER              a pid; the process ends when that process is gone
    OBPROXY_SIM_METRICS_ANYWHERE   `1` binds the metrics port to 0.0.0.0 as ODP does, instead of local_bound_ip

Faults come from `run/faults.json` in its home at start, and through the
socket `run/control.sock` later (faults.py, control.py).
"""
