"""What ODP knows of its clusters, in memory: configuration, RS lists, IDC lists, and what of it awaits writing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from .cache_files import CONFIG_SERVER, IDC_LIST, RSLIST, CacheFiles, idc_payload, parse_rslist, rslist_payload
from .replies import META_DATABASE, Config, IdcList, Rejected, RsList, RsServer, parse_config


class Clusters:
    """The memory that a start fills, logins extend and ticks write to the cache."""

    def __init__(self, cache: CacheFiles, *, names_real_cluster: bool) -> None:
        self._cache = cache
        self._names_real_cluster = names_real_cluster
        self._rs_lists: dict[str, tuple[RsList, ...]] = {}
        self._idc_lists: dict[str, IdcList] = {}
        self._dirty: set[str] = set()
        self.config: Config | None = None
        """The configuration in use; None until OCP or the cache gave one."""
        self.built: set[str] = set()
        """Clusters whose resource is available, since a login to them worked."""

    def load_config(self) -> bool:
        """Take the cached configuration, if there is one that ODP accepts."""
        payload = self._cache.read(CONFIG_SERVER)
        try:
            self.config = parse_config(payload) if payload is not None else None
        except Rejected:
            self.config = None
        return self.config is not None

    def load_lists(self) -> None:
        """Take the cached RS lists; IDC lists are fetched anew."""
        payload = self._cache.read(RSLIST)
        try:
            lists = parse_rslist(payload) if payload is not None else ()
        except Rejected:
            lists = ()
        known = self.config.urls.keys() if self.config else ()
        # Reading stops at the first cluster that the configuration lacks (odp-facts 2.6).
        for each in takewhile(lambda it: it.cluster in {*known, META_DATABASE}, lists):
            self._rs_lists[each.cluster] = (*self._rs_lists.get(each.cluster, ()), each)
        self._cache.read(IDC_LIST)

    def replace_config(self, config: Config) -> None:
        """Take a changed configuration from OCP and write it; clusters that it lacks are forgotten."""
        self.config = config
        gone = self._rs_lists.keys() - config.urls.keys() - {META_DATABASE}
        for cluster in gone:
            del self._rs_lists[cluster]
            self._dirty.add(RSLIST)
        self.built -= gone
        self._cache.write(CONFIG_SERVER, config.raw)

    def set_rs_lists(self, cluster: str, lists: Iterable[RsList]) -> None:
        """Take the RS lists of a successful fetch; an empty one leaves the old list (odp-facts 1.6)."""
        if known := tuple(each for each in lists if each.servers):
            self._rs_lists[cluster] = known
        # Dirty even when nothing changed, so that the file's mtime moves (odp-facts 2.4).
        self._dirty.add(RSLIST)

    def set_idc_list(self, idc_list: IdcList) -> None:
        """Take the IDC list of a cluster; written only on change."""
        if self._idc_lists.get(idc_list.cluster) != idc_list:
            self._idc_lists[idc_list.cluster] = idc_list
            self._dirty.add(IDC_LIST)

    def servers(self, cluster: str) -> tuple[RsServer, ...]:
        """The servers of the master cluster id, as far as they are known."""
        lists = self._rs_lists.get(cluster, ())
        primary = next((each for each in lists if each.is_primary), None)
        return primary.servers if primary else ()

    def url(self, cluster: str) -> str | None:
        """The RS list URL of *cluster*, None for one that the configuration lacks."""
        if self.config is None:
            return None
        return self.config.meta_url if cluster == META_DATABASE else self.config.urls.get(cluster)

    def write_dirty(self) -> None:
        """Write what changed since the last tick."""
        if RSLIST in self._dirty:
            every = [each for lists in self._rs_lists.values() for each in lists]
            self._cache.write(RSLIST, rslist_payload(every, names_real_cluster=self._names_real_cluster))
        if IDC_LIST in self._dirty:
            self._cache.write(IDC_LIST, idc_payload(self._idc_lists.values()))
        self._dirty.clear()
