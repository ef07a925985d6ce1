from collections.abc import Collection
from datetime import timedelta

from odp_exporter.inventory import Discovered, Inventory, Sighting, merged
from odp_exporter.targets import Address, Ocp, Target

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OCP = Ocp("ocp", "http://192.0.2.10:8080/services?Action=GetObProxyConfig")


def odp(name: str, host: str = "192.0.2.11", port: int = 2883) -> Target:
    return Target(name, Address(host, port))


def found(*targets: Target, ocp: Ocp | None = None) -> Discovered:
    return Discovered(tuple(map(Sighting, targets)), (ocp,) if ocp else ())


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


def look(known: Discovered, *targets: Target, elapsed: timedelta = timedelta(), ocp: Ocp | None = None) -> Discovered:
    """What is known after a look that has found these."""
    return known.after(found(*targets, ocp=ocp), elapsed=elapsed, forget_after=DAY)


def test_a_discovered_odp_stays_a_target_while_it_is_dead() -> None:
    hour_later = look(look(Discovered(), odp("a"), ocp=OCP), elapsed=HOUR)

    assert (((Sighting(odp("a"), HOUR)),), (OCP,)) == (hour_later.sightings, hour_later.ocps)


def test_a_discovered_odp_is_forgotten_after_it_was_looked_for_in_vain_for_the_time_set() -> None:
    known = found(odp("a"), ocp=OCP)
    for _ in range(23):
        known = look(known, elapsed=HOUR)

    assert (odp("a"),) == known.odps
    assert Discovered() == look(known, elapsed=HOUR)


def test_who_comes_back_was_never_gone() -> None:
    """With another home, or another port, too."""
    gone = look(found(odp("a")), elapsed=23 * HOUR)
    back = look(gone, odp("a", port=2999), elapsed=HOUR)

    assert (Sighting(odp("a", port=2999)),) == back.sightings
    assert back.odps == look(back, elapsed=23 * HOUR).odps
