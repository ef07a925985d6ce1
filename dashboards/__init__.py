"""Four Grafana dashboards, written by `make dashboards`, and the pictures of them.

    generate.py        writes json/, which is committed
    fleet.py one.py ocp_cache.py remediation.py    a dashboard each: its panels, from top to bottom
    panels.py          the kinds of panels, with the defaults of the house
    tables.py          tables, with their columns
    board.py           what all dashboards have: variables, annotations, links, places of panels
    promql.py          the expressions that recur
    palette.py         colours that colour-blind people tell apart, and the words that go with them
    links.py           from a panel to a dashboard, from an alert to its runbook

    provisioning/      tells Grafana of the data source and of json/
    render/            a page of Grafana's own libraries that draws json/ without a Grafana
    browser.py         a headless Chromium that looks at that page
    night/             a bad night over the simulated fleet, for tests and pictures
    pictures.py        plays it and takes the pictures of docs/images

Nothing here runs in production but json/ and provisioning/, in Grafana.
"""
