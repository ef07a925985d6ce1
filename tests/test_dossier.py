"""The pages that `odp-exporter inspect` prints, to the letter; one of them stands in docs/survival.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odp_exporter.dossier import Dossier, Grade, page
from odp_exporter.exposition.tables.row import Moment
from odp_exporter.exposition.tables.survival import Appraisal
from odp_exporter.observations import (
    CacheFile,
    CacheFileObservation,
    CacheObservation,
    CacheResult,
    Cause,
    ClusterServers,
    Endpoint,
    EndpointObservation,
    GreetingObservation,
    HostObservation,
    Identity,
    OcpObservation,
    OcpResult,
    Parameters,
    Phase,
    ProbeResult,
    Process,
    Server,
    Watchdog,
)
from odp_exporter.store import OdpRecord, Store
from odp_exporter.survival.reasons import EXPLANATIONS
from odp_exporter.survival.verdict import Evidence, judge
from odp_exporter.targets import Address, Target

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "tests/testdata/inspect"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOME = Path("/home/admin/obproxy")
ONE, TWO = Server("192.0.2.21", 2881), Server("192.0.2.22", 2881)


def greeted(result: ProbeResult = ProbeResult.OK) -> OdpRecord:
    store = Store()
    store.keep(odps=[Target("odp-1", Address("192.0.2.11", 2883))], pools=(), ocps=())
    whole = {Phase.CONNECT: 0.0002, Phase.GREETING: 0.0013}
    is_ok = result is ProbeResult.OK
    for _ in range(2):
        detail = "" if is_ok else "no byte within 1s"
        version = "5.6.25" if is_ok else None
        store.record(GreetingObservation("odp-1", NOON, result, whole if is_ok else {}, detail, version))
    return store.odps["odp-1"]


def host() -> HostObservation:
    process = Process(
        identity=Identity("f3a1", 4711, 99, f"{HOME}/bin/obproxy"),
        started=NOON - timedelta(days=3),
        parent=1,
        state="S",
        arguments=("bin/obproxy", "-o", "obproxy_config_server_url=http://admin:hunter2@192.0.2.10/s?x"),
        home=HOME,
        resident_bytes=1,
        cpu_seconds=1,
        threads=1,
        open_fds=None,
        max_fds=None,
    )
    values = {
        "obproxy_config_server_url": "http://***@192.0.2.10/s?x",
        "ignore_local_config": "True",
        "enable_get_rslist_remote": "False",
    }
    return HostObservation(
        "odp-1",
        NOON,
        is_local=True,
        processes=(process,),
        is_listening=True,
        home=HOME,
        version="4.3.1.0",
        parameters=Parameters(values, "etc/proxyconfig_v1.db"),
        watchdogs=frozenset({Watchdog.OBPROXYD}),
    )


def cache(rslist: CacheResult = CacheResult.OK) -> CacheObservation:
    written = NOON - timedelta(days=40)
    return CacheObservation(
        "odp-1",
        NOON,
        files=(
            CacheFileObservation(CacheFile.RSLIST, rslist, HOME / "etc/obproxy_rslist_info.json", written),
            CacheFileObservation(
                CacheFile.CONFIG_SERVER, CacheResult.OK, HOME / "etc/obproxy_config_server_info.json", written
            ),
            CacheFileObservation(CacheFile.IDC_LIST, CacheResult.MISSING),
        ),
        clusters=(ClusterServers("trade", 1, frozenset({ONE, TWO})),) if rslist is CacheResult.OK else (),
        config_clusters=("trade", "pay"),
    )


def ocp(rs_lists: OcpResult = OcpResult.OK) -> OcpObservation:
    status, detail = (200, "") if rs_lists is OcpResult.OK else (500, "HTTP status 500")
    return OcpObservation(
        "ocp",
        NOON,
        endpoints=(
            EndpointObservation(Endpoint.VERSION, OcpResult.OK, 200, 0.01),
            EndpointObservation(Endpoint.CONFIG, OcpResult.OK, 200, 0.01),
            *(
                EndpointObservation(Endpoint.RS_LIST, rs_lists, status, 0.01, detail, cluster=name)
                for name in ("trade", "pay")
            ),
        ),
        clusters=("trade", "pay"),
        rs_lists=(ClusterServers("trade", 1, frozenset({ONE})),) if rs_lists is OcpResult.OK else (),
    )


def dossier(
    evidence: Evidence, odp: OdpRecord | None = None, restarts: dict[Cause, int] | str = "no state directory given"
) -> Dossier:
    return Dossier(odp or greeted(), Appraisal(evidence, judge(evidence)), Moment(NOON, timedelta(seconds=5)), restarts)


REACHABLE = {ONE: True, TWO: False}
HALF_BROKEN = dossier(
    Evidence(host(), cache(), ocp(OcpResult.HTTP_STATUS), REACHABLE), restarts={Cause.CRASH: 2, Cause.STOP: 1}
)
HUNG = dossier(
    Evidence(
        replace(host(), is_memory_frozen=True, watchdogs=frozenset()), cache(CacheResult.PAYLOAD_CHECKSUM), ocp(), {}
    ),
    greeted(ProbeResult.GREETING_TIMEOUT),
    {},
)
UNPRIVILEGED = dossier(
    Evidence(
        replace(
            host(),
            home=None,
            parameters=None,
            version=None,
            unseen=("open files of 4711: permission denied", "home: not known"),
        )
    )
)
ELSEWHERE = dossier(Evidence(HostObservation("odp-1", NOON, is_local=False)))


@pytest.mark.parametrize(
    ("name", "shown"),
    [("half-broken", HALF_BROKEN), ("hung", HUNG), ("unprivileged", UNPRIVILEGED), ("elsewhere", ELSEWHERE)],
)
def test_the_page_is_this_one(name: str, shown: Dossier) -> None:
    assert (PAGES / f"{name}.txt").read_text(encoding="utf-8") == page(shown)


def test_the_page_in_the_documentation_is_the_same() -> None:
    text = (ROOT / "docs/survival.md").read_text(encoding="utf-8")

    assert f"<!-- inspect -->\n```\n{page(HALF_BROKEN)}```\n<!-- /inspect -->" in text


def test_the_documentation_has_every_reason_in_the_same_words() -> None:
    text = (ROOT / "docs/survival.md").read_text(encoding="utf-8")
    rows = [
        f"| `{reason}` | {it.sentence[:1].upper()}{it.sentence[1:]}. | {it.way_out[:1].upper()}{it.way_out[1:]}. |"
        for reason, it in EXPLANATIONS.items()
    ]

    assert f"<!-- reasons -->\n| reason | meaning | way out |\n|---|---|---|\n{chr(10).join(rows)}\n<!-- /r" in text


def test_colour_is_put_on_words_and_changes_none() -> None:
    coloured = page(HALF_BROKEN, is_coloured=True)
    bare = coloured
    for code in ("31", "32", "33", "0"):
        bare = bare.replace(f"\x1b[{code}m", "")

    assert "\x1b[31mUNSAFE" in coloured
    assert page(HALF_BROKEN) == bare


@pytest.mark.parametrize("shown", [HALF_BROKEN, HUNG, UNPRIVILEGED, ELSEWHERE])
def test_no_page_shows_a_secret(shown: Dossier) -> None:
    assert "hunter2" not in page(shown)
    assert "http" not in page(shown).replace("http_status", "")


def test_a_grade_is_good_only_if_all_is() -> None:
    whole = replace(
        cache(), clusters=(ClusterServers("trade", 1, frozenset({ONE})), ClusterServers("pay", 1, frozenset({ONE})))
    )
    good = Evidence(host(), whole, ocp(), REACHABLE)

    assert Grade.GOOD is dossier(good).grade
    assert Grade.DEGRADED is dossier(replace(good, cache=cache())).grade
    assert Grade.DEGRADED is HALF_BROKEN.grade
    assert Grade.DEGRADED is UNPRIVILEGED.grade
    assert Grade.DEGRADED is dossier(replace(good, ocp=broken_ocp())).grade
    assert Grade.BAD is HUNG.grade
    assert Grade.BAD is dossier(replace(good, host=replace(host(), is_memory_frozen=True))).grade
    assert Grade.BAD is dossier(good, greeted(ProbeResult.REFUSED)).grade


def broken_ocp() -> OcpObservation:
    """Gone: a restart is safe and the outage is survived, but it is one."""
    gone = ocp()
    return replace(
        gone, endpoints=tuple(replace(it, result=OcpResult.REFUSED) for it in gone.endpoints), clusters=(), rs_lists=()
    )


def test_many_clusters_with_the_same_trouble_are_told_once() -> None:
    names = [f"ob{number}" for number in range(9)]
    broken = replace(
        ocp(),
        clusters=tuple(names),
        endpoints=tuple(
            EndpointObservation(Endpoint.RS_LIST, OcpResult.REFUSED, 0, 0.1, "no", cluster=name) for name in names
        ),
    )
    kept = replace(cache(), clusters=(), config_clusters=tuple(names))
    text = page(dossier(Evidence(host(), kept, broken, {})))

    assert "rs_list_fails [ob0, ob1, ob2, ob3, ob4 and 4 more]: " in text
    assert "cluster_not_cached [ob0, ob1, ob2, ob3, ob4 and 4 more]: " in text
    assert 1 == text.count("rs_list_fails [")
