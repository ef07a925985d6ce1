import gzip

import pytest
from odp_exporter.httpd.negotiation import OFF_LOOP_BYTES, accepts_gzip, choose_format, joined
from odp_exporter.metrics.rendering import Format
from prometheus_client.exposition import choose_encoder

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
WITH_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
    "text/plain;version=0.0.4;q=0.3"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2, Format.OPEN_METRICS),
        (PROMETHEUS_3, Format.OPEN_METRICS),
        (WITH_PROTOBUF, Format.TEXT),
        ("application/openmetrics-text", Format.OPEN_METRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0", Format.OPEN_METRICS),
        ('application/openmetrics-text; version="1.0.0"', Format.OPEN_METRICS),
        ("text/plain", Format.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.TEXT),
        ("", Format.TEXT),
    ],
)
def test_we_choose_as_prometheus_own_client_does(accept: str, expected: Format) -> None:
    is_open_metrics = "openmetrics" in choose_encoder(accept.lower().replace('"', ""))[1]

    assert (expected is Format.OPEN_METRICS) == is_open_metrics
    assert expected is choose_format(accept)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.1", Format.TEXT),
        ("text/plain;q=0.1,application/openmetrics-text;q=0.9", Format.OPEN_METRICS),
        ("application/openmetrics-text;version=2.0.0", Format.TEXT),
        ("application/openmetrics-text;q=nan", Format.TEXT),
        (";;,,=;q", Format.TEXT),
    ],
)
def test_quality_and_version_count(accept: str, expected: Format) -> None:
    assert expected is choose_format(accept)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*, gzip;q=0", False),
        ("identity", False),
        ("", False),
    ],
)
def test_gzip_only_for_those_who_take_it(header: str, *, expected: bool) -> None:
    assert expected == accepts_gzip(header)


@pytest.mark.parametrize("size", [0, OFF_LOOP_BYTES - 4, OFF_LOOP_BYTES])
async def test_joining_and_compressing_lose_nothing_and_repeat_themselves(size: int) -> None:
    parts = [b"x" * size, b"end\n"]

    assert b"".join(parts) == await joined(parts, is_compressed=False)
    assert b"".join(parts) == gzip.decompress(await joined(parts, is_compressed=True))
    assert await joined(parts, is_compressed=True) == await joined(parts, is_compressed=True)
