"""Ways to restart an ODP: one per file, all behind the Protocol in actuator.py.

A file has the actuator's settings, its own errors and its class; types.py
lists it. Actuators know nothing of remediation and nothing of each other; what
they share is the procedure on the host, in procedure.py.

    ActuatorError            the message is for a person: where, what, the way out
    ├── HostUnreachable      the host or its agent does not answer: nothing is known, nothing was done
    ├── NotIdentified        not exactly the process that was meant: nothing was done
    ├── NotPermitted         it may not be done, and trying again changes nothing: nothing was done
    ├── StopFailed           it still lives, or something else holds the port: nothing was started
    ├── StartFailed          the old process is gone and no new one came up
    └── Unfinished           no answer came: what was done is not known, and giving the same order again finishes it
"""
