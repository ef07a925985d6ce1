"""A bad night over the simulated fleet: real Prometheus, Alertmanager, HAProxy, exporter and remediator.

    stage.py         starts them all around the look-alikes, and ends them
    configs.py       what each of them is told
    crowd.py         clients that come and go
    story.py         what goes wrong, and when

One ODP crashes again and again and is left to people; another hangs and is
repaired; then OCP breaks by half, a third ODP hangs, and its restart is
refused, as it would come back without its clusters. So the night ends, with
work left for the morning.
"""
