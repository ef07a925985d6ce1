"""Load balancers: one way to steer one of them per file, all behind the Protocol in driver.py.

A file has the driver's settings, its own errors and its class; types.py lists
it. Drivers know nothing of remediation and nothing of each other.

    LbError                  the message is for a person: where, what, the way out
    ├── LbUnreachable        no answer, or none in time: try again later
    ├── LbRefused            it said no: permission, unknown server, wrong backend; trying again changes nothing
    └── LbUnconfirmed        it took the order, and reading back shows something else
"""
