"""The rules of trouble that are in force, and when each strikes.

Knows counting and chance: the same seed, rules and requests give the same trouble. Knows no wire:
others ask what is to go wrong, and do it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Condition

from runner.local_org.fault_injection.rule import (
    JOB_FAULTS,
    REQUEST_FAULTS,
    FaultKind,
    FaultRule,
    declared_rules,
)
from runner.local_org.org import Org


@dataclass(slots=True)
class ActiveRule:
    """A rule and how often it was met."""

    id: int
    rule: FaultRule
    met: int = 0
    """How often something matched."""
    struck: int = 0
    """How often it went wrong."""


class FaultRules:
    """All rules of an org; safe to use from many threads."""

    def __init__(self, org: Org) -> None:
        self._seed = org.settings.seed
        self._changed = Condition()
        self._made = 0
        self._rules: list[ActiveRule] = []
        for rule in declared_rules(org.declared, []):
            self.add(rule)

    def add(self, rule: FaultRule) -> int:
        """Put a rule in force; its number."""
        with self._changed:
            self._made += 1
            self._rules.append(ActiveRule(self._made, rule))
            return self._made

    def remove(self, number: int | None = None) -> int:
        """Take one rule away, or all; how many. Jobs they stalled go on."""
        with self._changed:
            kept = [each for each in self._rules if number is not None and each.id != number]
            removed = len(self._rules) - len(kept)
            self._rules = kept
            self._changed.notify_all()
            return removed

    def listed(self) -> list[ActiveRule]:
        """The rules in force, oldest first."""
        with self._changed:
            return list(self._rules)

    def for_request(self, method: str, path: str) -> FaultRule | None:
        """What is to go wrong with a request, if anything."""
        found = self._strike(
            lambda rule: (
                rule.kind in REQUEST_FAULTS
                and rule.method in {"", method}
                and re.search(rule.path, path) is not None
            )
        )
        return found.rule if found else None

    def for_job(self, sobject: str, operation: str) -> ActiveRule | None:
        """What is to go wrong with a Bulk job, if anything."""
        return self._strike(
            lambda rule: (
                rule.kind in JOB_FAULTS
                and rule.sobject in {"", sobject}
                and rule.operation in {"", operation}
            )
        )

    def locks(self, sobject: str, rows: Iterable[Mapping[str, object]]) -> dict[int, str]:
        """Places of rows that another transaction holds, each with the Id or value held."""
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

    def wait_for_release(self, number: int, stopping: Callable[[], bool]) -> None:
        """Wait until a rule is taken away, or the server stops."""
        with self._changed:
            while any(each.id == number for each in self._rules) and not stopping():
                self._changed.wait(_LOOK_SECONDS)

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


_LOOK_SECONDS = 0.2


def _holds(sobject: str, texts: list[str], rule: FaultRule) -> bool:
    return (
        rule.kind is FaultKind.LOCK_ROWS
        and rule.sobject in {"", sobject}
        and (not rule.values or not set(rule.values).isdisjoint(texts))
    )


def _texts(row: Mapping[str, object]) -> Iterable[str]:
    """The texts of a row, those of its parents' keys too."""
    for value in row.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _texts(value)
