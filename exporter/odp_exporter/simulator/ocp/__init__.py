"""OCP (or ob-configserver) as a process: what ODP asks, and every way to answer it badly (odp-facts 1).

    python -m odp_exporter.simulator.ocp --host 127.0.0.1 --port 8080

Standard library only. It tells its two ports on the first line of its output,
as JSON: the service, and the control port that stays open while the service
refuses. Commands are POSTed to `/control` there (control.py).
"""
