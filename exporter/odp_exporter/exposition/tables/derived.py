"""What tables remember from one scrape to the next: what follows from things that seldom change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

Premises = TypeVar("Premises")
Conclusion = TypeVar("Conclusion")


class Derived(Generic[Premises, Conclusion]):
    """What follows from the premises of each owner, worked out anew only when they have changed."""

    def __init__(self, conclude: Callable[[Premises], Conclusion]) -> None:
        self._conclude = conclude
        self._by_owner: dict[str, tuple[Premises, Conclusion]] = {}

    def of(self, owner: str, premises: Premises) -> Conclusion:
        """What follows from the *premises*, which nobody may change afterwards."""
        last = self._by_owner.get(owner)
        if last and last[0] is premises:
            return last[1]
        conclusion = last[1] if last and last[0] == premises else self._conclude(premises)
        # Kept even if they are only equal: the next time they are most often the same object, which is told at once.
        self._by_owner[owner] = premises, conclusion
        return conclusion

    def forget_all_but(self, owners: Mapping[str, object]) -> None:
        """Drop what is known of owners that are gone."""
        for owner in self._by_owner.keys() - owners.keys():
            del self._by_owner[owner]
