"""What stands around ODPs, for demos, drills and tests: real programs, started and ended around a piece of work.

    server.py          what they share: a process of its own, ready when the context begins
    prometheus.py      scrapes, evaluates rules, tells Alertmanagers
    alertmanager.py    groups and routes, tells receivers
    receiver.py        stands for whoever is told: keeps each notification with its time
    chain.py           all three in a row, under the rules and routes of a checkout
    haproxy.py         a real HAProxy, with its workers
    balancer.py        a load balancer look-alike that obeys the same commands, where HAProxy is not installed
    forwarder.py       hands on what is pushed, where Alertmanager is not installed
    client.py          keeps connecting, and counts what fails
    remediator.py      the real remediator, which may be killed and started again
    site.py            all of it around a pool of simulated ODPs

Their programs come from packages (`apt-get install prometheus prometheus-alertmanager haproxy`);
who calls may name others.
"""
