"""URLs as ODP glues them."""

from __future__ import annotations

import pytest
from odp_exporter.ocp.urls import from_template, idc_list_url, rs_list_url, version_url

BASE = "http://192.0.2.10:8080/services?Action="


def test_the_version_url_is_the_one_of_the_captures() -> None:
    expected = "http://127.0.0.1:8180/services?Action=GetObProxyConfig&User_ID=odp&uid=ocpmaster&VersionOnly=true"

    assert expected == version_url("http://127.0.0.1:8180/services?Action=GetObProxyConfig&User_ID=odp&uid=ocpmaster")


@pytest.mark.parametrize(
    ("url", "cluster_id", "expected"),
    [
        (f"{BASE}ObRootServiceInfo&ObRegion=ob1", None, f"{BASE}ObRootServiceInfo&ObRegion=ob1&version=2"),
        (f"{BASE}ObRootServiceInfo", 7, f"{BASE}ObRootServiceInfo&version=2&ObRegionId=7"),
        ("http://192.0.2.10/rs", None, "http://192.0.2.10/rs?version=2"),
    ],
)
def test_rs_list_urls(url: str, cluster_id: int | None, expected: str) -> None:
    assert expected == rs_list_url(url, cluster_id)


@pytest.mark.parametrize(
    ("url", "cluster_id", "expected"),
    [
        (f"{BASE}ObRootServiceInfo&ObRegion=ob1", None, f"{BASE}ObIDCRegionInfo&ObRegion=ob1"),
        (
            f"{BASE}obrootserviceINFO&x=ObRootServiceInfo",
            3,
            f"{BASE}ObIDCRegionInfo&x=ObRootServiceInfo&version=2&ObRegionId=3",
        ),
        ("http://192.0.2.10/rs", 3, "http://192.0.2.10/rs_idc_list?version=2&ObRegionId=3"),
    ],
)
def test_idc_list_urls(url: str, cluster_id: int | None, expected: str) -> None:
    assert expected == idc_list_url(url, cluster_id)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("http://x/s?r=${ObRegion}", "http://x/s?r=ob1"),
        ("http://x/s?r=${ObCluster}&dropped=1", "http://x/s?r=ob1"),
        ("http://x/s?c=${ObCluster}&r=${ObRegion}", "http://x/s?c=${ObCluster}&r=ob1"),
        ("http://x/s?r=$ObRegion", None),
    ],
)
def test_templates(template: str, expected: str | None) -> None:
    assert expected == from_template(template, "ob1")
