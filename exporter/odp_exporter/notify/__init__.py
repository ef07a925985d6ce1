"""Alerts pushed to Alertmanager the moment a verdict changes, with the labels that the rules give them.

Prometheus stays the backstop and the record: it finds the same a scrape and an
evaluation later, and because the labels are the same Alertmanager makes one
alert of both.

That an alert is over is said late, `end_after` the recovery: an end that is
said at once would be followed by a Prometheus that has not seen the recovery
yet and says firing once more, which is a second notification for one outage.
Prometheus itself mostly ends it sooner. If the exporter dies, or cannot tell
any more whether an alert fires, what it has pushed expires by itself: that it
is over is said only of what is known not to fire.
"""
