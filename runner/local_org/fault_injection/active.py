"""The fault rules in force, and when each of them strikes.

Knows counting and chance: the same seed, rules and requests give the same faults. Knows no HTTP:
callers ask which fault applies and produce it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Condition

from msgspec import Struct

from runner.local_org.fault_injection.rule import (
    JOB_FAULTS,
    REQUEST_FAULTS,
    FaultKind,
    FaultRule,
    declared_rules,
)
from runner.local_org.org import Org


class ActiveRule(Struct):
    """A rule in force, with its counts."""

    id: int
    rule: FaultRule
    met: int = 0
    """How often a request, row or job matched."""
    struck: int = 0
    """How often the fault was produced."""


class FaultRules:
    """All fault rules of an org; safe to use from many threads."""

    def __init__(self, org: Org) -> None:
        self._seed = org.settings.seed
        self._changed = Condition()
        self._made = 0
        self._rules: list[ActiveRule] = []
        for rule in declared_rules(org.declared, []):
            self.add(rule)

    def add(self, rule: FaultRule) -> int:
        """Put a rule in force; returns its number."""
        with self._changed:
            self._made += 1
            self._rules.append(ActiveRule(self._made, rule))
            return self._made

    def remove(self, number: int | None = None) -> int:
        """Remove one rule, or all; returns how many. Jobs they stalled continue."""
        with self._changed:
            remaining = [each for each in self._rules if number is not None and each.id != number]
            removed = len(self._rules) - len(remaining)
            self._rules = remaining
            self._changed.notify_all()
            return removed

    def listed(self) -> list[ActiveRule]:
        """The rules in force, oldest first."""
        with self._changed:
            return list(self._rules)

    def for_request(self, method: str, path: str) -> FaultRule | None:
        """The fault for a request, if any."""
        found = self._strike(
            lambda rule: (
                rule.kind in REQUEST_FAULTS
                and rule.method in {"", method}
                and re.search(rule.path, path) is not None
            )
        )
        return found.rule if found else None

    def for_job(self, sobject: str, operation: str) -> ActiveRule | None:
        """The fault for a Bulk job, if any."""
        return self._strike(
            lambda rule: (
                rule.kind in JOB_FAULTS
                and rule.sobject in {"", sobject}
                and rule.operation in {"", operation}
            )
        )

    def locks(self, sobject: str, rows: Iterable[Mapping[str, object]]) -> dict[int, str]:
        """Positions of locked rows, each with the Id or value that is locked."""
        if not any(each.rule.kind is FaultKind.LOCK_ROWS for each in self._rules):
            return {}
        held = {}
        for place, row in enumerate(rows):
            texts = list(_texts(row))
            found = self._strike(partial(_holds, sobject, texts))
            if found is not None:
                named = [text for text in texts if text in found.rule.values]
                held[place] = named[0] if named else next(iter(texts), "")
        return held

    def late(self, sobject: str) -> frozenset[str]:
        """The first 15 characters of Ids that a query on an object does not find."""
        if not any(each.rule.kind is FaultKind.LATE_RECORDS for each in self._rules):
            return frozenset()
        found: set[str] = set()
        with self._changed:
            for each in self._rules:
                rule = each.rule
                is_meant = rule.kind is FaultKind.LATE_RECORDS and rule.sobject in {"", sobject}
                if is_meant and self._due(each):
                    each.struck += 1
                    found.update(value[:_ID_CHARACTERS] for value in rule.values)
        return frozenset(found)

    def wait_for_release(self, number: int, stopping: Callable[[], bool]) -> None:
        """Wait until a rule is removed, or the server stops."""
        with self._changed:
            while any(each.id == number for each in self._rules) and not stopping():
                self._changed.wait(_CHECK_SECONDS)

    def _strike(self, matches: Callable[[FaultRule], bool]) -> ActiveRule | None:
        with self._changed:
            for each in self._rules:
                if matches(each.rule) and self._due(each):
                    each.struck += 1
                    return each
        return None

    def _due(self, each: ActiveRule) -> bool:
        rule = each.rule
        each.met += 1
        if each.met <= rule.after or (rule.nth is not None and each.met != rule.nth):
            return False
        if rule.times is not None and each.struck >= rule.times:
            return False
        if rule.probability is None:
            return True
        chance = random.Random(f"{self._seed} {each.id} {each.met}")  # noqa: S311 - no secret
        return chance.random() < rule.probability


_CHECK_SECONDS = 0.2
_ID_CHARACTERS = 15


def _holds(sobject: str, texts: list[str], rule: FaultRule) -> bool:
    return (
        rule.kind is FaultKind.LOCK_ROWS
        and rule.sobject in {"", sobject}
        and (not rule.values or not set(rule.values).isdisjoint(texts))
    )


def _texts(row: Mapping[str, object]) -> Iterable[str]:
    """The texts of a row, including its parents' keys."""
    for value in row.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _texts(value)
