"""The demo: a whole site of real processes on loopback, in which ODPs are killed and hung, and repaired.

__main__.py   sets the scene, plays the acts, ends everything
acts.py       what happens
timeline.py   what came of it, moment by moment
news.py       where that is read: logs, pages and sockets of the programs, and nothing else
table.py      how it stands
"""
