"""What a query can read: the org's sObjects, and those about the org itself.

Knows the SQL of their rows. Knows nothing of syntax.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from msgspec import Struct

from runner.local_org.catalog.model import Catalog, Field, SObject
from runner.local_org.org import Org, User
from runner.local_org.soql import meta_objects, related_lists
from runner.local_org.store import quoted


class Schema(Struct, frozen=True, dict=True):
    """The sObjects that one user can query."""

    catalog: Catalog
    described: Callable[[], tuple[meta_objects.Described, ...]] = tuple
    """sObjects without a table, which few queries need."""

    @classmethod
    def of(cls, org: Org, user: User) -> Schema:
        """What `user` can query."""

        def described() -> tuple[meta_objects.Described, ...]:
            lists = related_lists.related_lists(org.catalog, org.clock())
            return (*meta_objects.described(org, user), *lists)

        return cls(org.catalog, described)

    @cached_property
    def _described(self) -> dict[str, meta_objects.Described]:
        return {each.sobject.name.lower(): each for each in self.described()}

    def sobject(self, name: str) -> SObject | None:
        """Find an sObject by name, in any case; one with a table first."""
        stored = self.catalog.sobject(name)
        if stored is not None:
            return stored
        described = self._described.get(name.lower())
        return described.sobject if described else None

    def targets(self, field: Field) -> tuple[SObject, ...]:
        """The sObjects of this org that a reference can point to."""
        found = (self.sobject(name) for name in field.reference_to)
        return tuple(sobject for sobject in found if sobject is not None)

    def table(self, sobject: SObject) -> str:
        """The SQL for FROM of an sObject's rows."""
        if self.catalog.sobject(sobject.name) is not None:
            return quoted(sobject.name)
        return self._described[sobject.name.lower()].table()
