"""The URLs that ODP asks, made from those that it was given (odp-facts 1.1).

Text in, text out, glued exactly as ODP glues it; nothing is encoded, checked
or asked here.
"""

from __future__ import annotations

import re

_PLACEHOLDERS = ("${ObRegion}", "${ObCluster}")


def version_url(base: str) -> str:
    """Where ODP asks for the version alone; always glued with `&`, so *base* must have a `?`."""
    return f"{base}&VersionOnly=true"


def rs_list_url(url: str, cluster_id: int | None = None) -> str:
    """Where ODP asks for the root services of the cluster whose configured URL is *url*."""
    return _joined(url, "version=2" if cluster_id is None else f"version=2&ObRegionId={cluster_id}")


def idc_list_url(url: str, cluster_id: int | None = None) -> str:
    """Where ODP asks for the IDCs of the cluster whose configured RS list URL is *url*."""
    renamed, found = re.subn("ObRootServiceInfo", "ObIDCRegionInfo", url, count=1, flags=re.IGNORECASE)
    asked = renamed if found else f"{url}_idc_list"
    return asked if cluster_id is None else _joined(asked, f"version=2&ObRegionId={cluster_id}")


def from_template(template: str, cluster: str) -> str | None:
    """The RS list URL of *cluster*; what stands behind the placeholder is dropped. None without placeholder."""
    for placeholder in _PLACEHOLDERS:
        before, found, _ = template.partition(placeholder)
        if found:
            return before + cluster
    return None


def _joined(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"
