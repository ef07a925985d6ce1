"""The releases of ODP that the look-alike can be, and what differs between them (odp-facts 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Release:
    """A release of ODP, such as 4.3.1."""

    number: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """`4.3.1` or `4.3.1.0`."""
        try:
            return cls(tuple(int(part) for part in text.split("."))[:3])
        except ValueError:
            message = f"not a release of ODP: {text!r} (try '4.3.1')"
            raise ValueError(message) from None

    def __str__(self) -> str:
        return ".".join(map(str, self.number)) + ".0"

    @property
    def stores_parameters_in_sqlite(self) -> bool:
        """Parameters lie in etc/proxyconfig_v1.db, before that in etc/obproxy_config.bin."""
        return self.number >= (4, 3)

    @property
    def has_sqlite_file(self) -> bool:
        """The sqlite file exists, if only without global parameters."""
        return self.number >= (4, 2, 1)

    @property
    def names_real_cluster(self) -> bool:
        """Cached RS lists carry ObRealClusterName."""
        return self.number >= (4, 2, 1)

    @property
    def has_diagnosis_log(self) -> bool:
        """obproxy_diagnosis.log exists, and with it the WDIAG and EDIAG levels."""
        return self.number >= (4, 2, 3)

    @property
    def has_rpc_port(self) -> bool:
        """An RPC port is opened beside the SQL port."""
        return self.number >= (4, 3)

    @property
    def lives_on_at_memory_limit(self) -> bool:
        """At 100 % it stops allocating and stays, half-dead; before that it killed itself."""
        return self.number >= (4, 3)
