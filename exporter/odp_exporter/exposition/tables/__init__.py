"""Which values each metric family takes, out of which observation or record.

One file per subject. A function of a table sees one subject and the moment of
the scrape, and gives values in the order of the family's lines; it does no
I/O, and the names of metrics are not its business.
"""
