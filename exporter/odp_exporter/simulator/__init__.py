"""Look-alikes of ODP and OCP: real processes, real sockets, real files.

For the demo, the tests and drills; nothing else imports it. It is no proxy:
no SQL passes, no OBServer is spoken to.

    odp/      ODP, started as `./bin/obproxy ARGS`; dies, hangs and drains on demand
    ocp/      OCP (or ob-configserver); breaks in every way that ODP can notice
    fleet/    starts, breaks and ends them: what tests, demo and drills call
    stack/    Prometheus, Alertmanager and other real servers around them
"""
