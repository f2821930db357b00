"""Keeps fields that come from other records right, on every way of writing: triggers.

Knows the rules of derived fields, in SQL. Knows nothing of requests.

An insert of a child, a change of its reference and a change of its parent's field all fill a copy;
an insert, change or delete of a child brings the sums of its parent up to date.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, cast

from runner.local_org import exact_numbers
from runner.local_org.catalog.derived import Copy, Path, RollUp, copies, roll_ups
from runner.local_org.catalog.model import Catalog
from runner.local_org.catalog.person_accounts import fields_of_people, has_people

_SUFFIX = ".derived"
_HUNDRED = 100
_STAMPS = ("LastModifiedDate", "LastModifiedById", "SystemModstamp")
"""Fields of a parent that change with its sums."""


_CONSEQUENCES = (
    (
        "Opportunity",
        ("Amount", "Probability"),
        "ExpectedRevenue = sf_share(Amount, Probability)",
    ),
    (
        "Quote",
        ("TotalPrice", "Tax", "ShippingHandling"),
        "GrandTotal = sf_total(TotalPrice, Tax, ShippingHandling)",
    ),
)
"""Fields that follow from sums of the same record: the sObject, the causes, the consequence."""


def share(amount: float | str | None, percent: float | str | None) -> float | str | None:
    """The function behind `sf_share`: so many percent of an amount, in cents."""
    if amount is None:
        return None
    part = exact_numbers.exact(amount) * exact_numbers.exact(percent or 0.0) / _HUNDRED
    return exact_numbers.to_stored(round(part, 2))


def total(*amounts: float | str | None) -> float | str | None:
    """The function behind `sf_total`: the exact sum of its arguments; null of nothing but nulls."""
    summing = exact_numbers.Sum()
    for amount in amounts:
        summing.step(amount)
    return summing.finalize()


def register(conn: sqlite3.Connection) -> None:
    """Give a connection the functions that the triggers call, and `sf_sum` to queries, too."""
    conn.create_aggregate("sf_sum", 1, cast("Any", exact_numbers.Sum))  # declared for integers only
    conn.create_function("sf_share", 2, share, deterministic=True)
    conn.create_function("sf_total", -1, total, deterministic=True)


def lay_out(conn: sqlite3.Connection, catalog: Catalog) -> None:
    """Create the triggers of a catalog and drop those of earlier ones.

    Fills the fields of the records that are there if anything changed.
    """
    wanted = dict([*_copying(catalog), *_rolling_up(catalog), *_contacts_of_people(catalog)])
    present = dict(
        conn.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE ?",
            (f"%{_SUFFIX}",),
        )
    )
    if present == wanted:
        return
    for name in present:
        conn.execute(f'DROP TRIGGER "{name}"')
    for statement in wanted.values():
        conn.execute(statement)
    for sobject, found in _by_object(copies(catalog)).items():
        setting = _settings(catalog, found, f'"{sobject}"')
        conn.execute(f'UPDATE "{sobject}" SET {setting}')
    for rolled in _by_parent(roll_ups(catalog)).values():
        conn.execute(f"{_sums(rolled)} WHERE {_has_children(rolled)}")


def _by_object(found: Iterable[Copy]) -> dict[str, list[Copy]]:
    grouped: dict[str, list[Copy]] = defaultdict(list)
    for each in found:
        grouped[each.sobject].append(each)
    return grouped


def _copying(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Triggers that fill copies: of the child, and of every sObject on a path."""
    for sobject, found in _by_object(copies(catalog)).items():
        references = sorted({path.hops[0][0] for each in found for path in each.paths})
        setting = f'UPDATE "{sobject}" SET {_settings(catalog, found, "NEW")} WHERE Id = NEW.Id'
        filled = " OR ".join(f"NEW.{name} IS NOT NULL" for name in references)
        yield _trigger(f"{sobject}.insert", f'INSERT ON "{sobject}" WHEN {filled}', setting)
        changes = f'UPDATE OF {_list(references)} ON "{sobject}"'
        yield _trigger(f"{sobject}.update", changes, setting)
        for parent, changed, condition in _sources(found):
            of_parent = [
                each
                for each in found
                if any(parent in {name for _, name in path.hops} for path in each.paths)
            ]
            setting = _settings(catalog, of_parent, f'"{sobject}"')
            yield _trigger(
                f"{sobject}.of.{parent}",
                f'UPDATE OF {_list(sorted(changed))} ON "{parent}"',
                f'UPDATE "{sobject}" SET {setting} WHERE {condition}',
            )


def _sources(found: Iterable[Copy]) -> Iterator[tuple[str, set[str], str]]:
    """Each sObject on a path, its fields that matter, and which records they matter to."""
    changed: dict[str, set[str]] = defaultdict(set)
    conditions: dict[str, set[str]] = defaultdict(set)
    for path in (path for each in found for path in each.paths):
        names = [*(reference for reference, _ in path.hops[1:]), path.field]
        inside = "{}"
        for (reference, parent), name in zip(path.hops, names, strict=True):
            if name != "Id":
                changed[parent].add(name)
                conditions[parent].add(inside.format(f"{reference} = NEW.Id"))
            inside = inside.format(f'{reference} IN (SELECT Id FROM "{parent}" WHERE {{}})')
    for parent, fields in changed.items():
        yield parent, fields, " OR ".join(sorted(conditions[parent]))


def _settings(catalog: Catalog, found: Iterable[Copy], row: str) -> str:
    return ", ".join(f"{each.field} = {_value(catalog, each, row)}" for each in found)


def _value(catalog: Catalog, each: Copy, row: str) -> str:
    """The SQL of a copy: one WHEN for each path, told apart by the key prefix of its reference."""
    sobject = catalog.sobject(each.sobject)
    field = sobject.field(each.field) if sobject else None
    own = f"{row}.{each.field}" if field is not None and field.createable else "NULL"
    whens = "".join(_when(catalog, path, row) for path in each.paths)
    value = f"CASE{whens} ELSE {own} END"
    return f"coalesce({value}, 0)" if field is not None and field.type == "boolean" else value


def _when(catalog: Catalog, path: Path, row: str) -> str:
    (reference, parent), *further = path.hops
    target = catalog.sobject(parent)
    prefix = target.key_prefix if target else ""
    value = f"{row}.{reference}"
    names = [*(name for name, _ in further), path.field]
    for (_, step), name in zip(path.hops, names, strict=True):
        if name != "Id":
            value = f'(SELECT {name} FROM "{step}" WHERE Id = {value})'
    return f" WHEN substr({row}.{reference}, 1, 3) = '{prefix}' THEN {value}"


def _by_parent(found: Iterable[RollUp]) -> dict[tuple[str, str, str], list[RollUp]]:
    grouped: dict[tuple[str, str, str], list[RollUp]] = defaultdict(list)
    for each in found:
        grouped[each.sobject, each.child, each.reference].append(each)
    return grouped


def _rolling_up(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Triggers that sum up children."""
    for (parent, child, reference), rolled in _by_parent(roll_ups(catalog)).items():
        summed = [each.summed for each in rolled if each.summed]
        stamps = "".join(f", {name} = NEW.{name}" for name in _STAMPS)
        for event, row in (
            (f'INSERT ON "{child}"', "NEW"),
            (f'UPDATE OF {_list([reference, *summed, "IsDeleted"])} ON "{child}"', "NEW"),
            (f'DELETE ON "{child}"', "OLD"),
        ):
            stamped = _sums(rolled, stamps if row == "NEW" else "")
            name = f"{parent}.sums.{event.split()[0].lower()}"
            yield _trigger(name, event, f"{stamped} WHERE Id = {row}.{reference}")
    yield from _kept(roll_ups(catalog))
    for sobject, causes, setting in _CONSEQUENCES:
        if catalog.sobject(sobject) is not None:
            yield _trigger(
                f"{sobject}.{setting.partition(' ')[0]}",
                f'UPDATE OF {_list(causes)} ON "{sobject}"',
                f'UPDATE "{sobject}" SET {setting} WHERE Id = NEW.Id',
            )


def _kept(found: Iterable[RollUp]) -> Iterator[tuple[str, str]]:
    """The amount of an opportunity with products is not changed by an update."""
    rolled = [each for each in found if each.sobject == "Opportunity"]
    if rolled:
        yield _trigger(
            "Opportunity.kept",
            'UPDATE OF Amount ON "Opportunity" WHEN NEW.HasOpportunityLineItem',
            f"{_sums(rolled)} WHERE Id = NEW.Id",
        )


def _contacts_of_people(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """A person account has a contact, which is created and changed with it."""
    account, contact = catalog.sobject("Account"), catalog.sobject("Contact")
    if account is None or contact is None or not has_people(account):
        return
    shared = {each: each for each in ("Name", "OwnerId", *_STAMPS) if contact.field(each)}
    shared |= {
        field.name: name
        for name, field in fields_of_people(contact)
        if field.stored and account.field(name)
    }
    new = {
        "Id": "PersonContactId",
        "AccountId": "Id",
        "IsPersonAccount": "IsPersonAccount",
        "CreatedDate": "CreatedDate",
        "CreatedById": "CreatedById",
        **shared,
    }
    values = _list(f"NEW.{name}" for name in new.values())
    yield _trigger(
        "Account.person.insert",
        'INSERT ON "Account" WHEN NEW.IsPersonAccount',
        f'INSERT INTO "Contact" ({_list(new)}) VALUES ({values})',
    )
    settings = _list(f"{field} = NEW.{name}" for field, name in shared.items())
    yield _trigger(
        "Account.person.update",
        f'UPDATE OF {_list(shared.values())} ON "Account" WHEN NEW.IsPersonAccount',
        f'UPDATE "Contact" SET {settings} WHERE Id = NEW.PersonContactId',
    )


def _sums(rolled: Iterable[RollUp], further: str = "") -> str:
    parts = [f"{each.field} = {_sum(each)}" for each in rolled]
    parent = next(iter(rolled)).sobject
    return f'UPDATE "{parent}" SET {", ".join(parts)}{further}'


def _sum(each: RollUp) -> str:
    children = f'FROM "{each.child}" AS c WHERE c.{each.reference} = "{each.sobject}".Id'
    alive = f"{children} AND c.IsDeleted = 0"
    match each.rule:
        case "any":
            return f"EXISTS (SELECT 1 {alive})"
        case "count":
            return f"(SELECT count(*) {alive})"
        case _:
            return f"coalesce((SELECT sf_sum(c.{each.summed}) {alive}), {each.field})"


def _has_children(rolled: Iterable[RollUp]) -> str:
    each = next(iter(rolled))
    return f'Id IN (SELECT {each.reference} FROM "{each.child}")'


def _trigger(name: str, event: str, action: str) -> tuple[str, str]:
    full = f"{name}{_SUFFIX}"
    return full, f'CREATE TRIGGER "{full}" AFTER {event} BEGIN {action}; END'


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
