from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from odp_exporter.inventory import Discovered, Inventory, Sighting, merged
from odp_exporter.targets import Address, Ocp, Target

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OCP = Ocp("ocp", "http://192.0.2.10:8080/services?Action=GetObProxyConfig")


def odp(name: str, host: str = "192.0.2.11", port: int = 2883) -> Target:
    return Target(name, Address(host, port))


def found(*targets: Target, at: datetime = NOON, ocp: Ocp | None = None) -> Discovered:
    return Discovered(tuple(Sighting(target, at) for target in targets), (ocp,) if ocp else ())


def merge(
    *configured: Target,
    files: tuple[Target, ...] = (),
    discovered: Discovered | None = None,
    ocps: tuple[Ocp, ...] = (),
    local: Collection[Address] = (),
) -> Inventory:
    return merged(
        configured=configured,
        from_files=files,
        discovered=discovered or Discovered(),
        pools=(),
        ocps=ocps,
        local=local,
    )


def test_the_configuration_wins_over_a_target_file_and_says_so() -> None:
    inventory = merge(odp("a"), files=(odp("a", "192.0.2.12"), odp("b"), odp("c", "192.0.2.13")))

    assert (odp("a"), odp("c", "192.0.2.13")) == inventory.odps
    assert (
        "a: another target has this name, at 192.0.2.11:2883",
        "b: a has the same address, 192.0.2.11:2883",
    ) == inventory.left_out


def test_an_odp_that_is_configured_by_another_address_is_not_discovered_again() -> None:
    """One that listens on every address is discovered on loopback."""
    here = odp("a").address
    inventory = merge(
        odp("a"), discovered=found(odp("127.0.0.1:2883", "127.0.0.1"), odp("b", "192.0.2.99")), local={here}
    )

    assert (["a", "b"], ()) == ([target.name for target in inventory.odps], inventory.left_out)


def test_an_odp_of_another_host_is_no_reason_to_overlook_one_with_the_same_port_here() -> None:
    remote, other_port = odp("remote", "192.0.2.99"), odp("here", port=2893)
    ours = odp("127.0.0.1:2883", "127.0.0.1")
    inventory = merge(remote, files=(other_port,), discovered=found(ours), local={other_port.address})

    assert (remote, other_port, ours) == inventory.odps


def test_a_configured_ocp_keeps_discovered_ones_out() -> None:
    other = Ocp("other", "http://192.0.2.77/services?Action=GetObProxyConfig")

    assert (OCP,) == merge(discovered=found(ocp=OCP)).ocps
    assert (other,) == merge(discovered=found(ocp=OCP), ocps=(other,)).ocps


def test_a_discovered_odp_stays_a_target_while_it_is_dead() -> None:
    known = Discovered().after(found(odp("a"), ocp=OCP), now=NOON, forget_after=DAY)
    hour_later = known.after(found(), now=NOON + timedelta(hours=1), forget_after=DAY)

    assert ((odp("a"),), (OCP,)) == (hour_later.odps, hour_later.ocps)


def test_a_discovered_odp_is_forgotten_after_the_time_set_for_that() -> None:
    known = Discovered().after(found(odp("a")), now=NOON, forget_after=DAY)

    assert Discovered() == known.after(found(), now=NOON + DAY, forget_after=DAY)


def test_coming_back_with_another_home_replaces_the_old_sighting() -> None:
    late = NOON + timedelta(hours=1)
    known = found(odp("a")).after(found(odp("a", port=2999), at=late), now=late, forget_after=DAY)

    assert (Sighting(odp("a", port=2999), late),) == known.sightings
