"""Rules of an undo: what happens to each record that a run touched, as SQL over tables.

The last step of an undo, applied by `compare`. A record is restored if every field that the run
wrote still holds what the run wrote, or what it held before. Values are compared as the org stores
them: numbers at the field's scale, datetimes to the second, Ids by 15 characters. Knows rules and
SQL. Knows nothing of where the tables come from:

    done        row, id, id15, created, doubt, damaged, act    what the run did
    written     row, w0, w1, …, sent_id               what it sent, by column
    before      id15, b0, b1, …                       what records held before, by field
    present     id15, n0, n1, …                       what they hold now, by field
    bin         id15, gone                            what exists, or is in the recycle bin
    unknown     id15                                  what is not in the bin either
    parent      place, id, key                        which record a parent's key means
    undeleted   id15                                  what a later step of this undo brings back
    document    id15, document_id, is_whole           what a version is deleted with
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from runner.job.endpoints import EXPLICIT_NULL
from runner.job.model import Verb
from runner.tables.field_types import NUMBERS, FieldKind
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import canonical, comparable, trimmed
from runner.tables.staging.equality import as_set, half_a_unit, number, second
from runner.tables.undo.after_images import WrittenColumn, WrittenIndex


class Act(StrEnum):
    """How a record is put back."""

    RESTORE = "restore"
    """Give fields of an updated record their earlier values."""
    DELETE = "delete"
    """Delete a created record."""
    UNDELETE = "undelete"
    """Bring a deleted record back."""


class Decision(StrEnum):
    """What happens to a record."""

    UNDO = "undo"
    NOTHING = "nothing"
    """It is as it was before."""
    LEFT = "left"
    """It cannot or must not be put back."""


class Reason(StrEnum):
    """Why a record is left as it is: the code of its row."""

    CHANGED = "CHANGED_SINCE"
    DELETED = "DELETED_SINCE"
    NOT_KEPT = "NOT_KEPT"
    NOT_RECORDED = "NOT_RECORDED"
    NOT_IN_BIN = "NOT_IN_RECYCLE_BIN"
    HARD = "HARD_DELETED"
    DOUBT = "ANSWER_LOST"
    DAMAGED = "DAMAGED_ID"
    UNKNOWN = "UNKNOWN_ID"
    VERSION = "OTHER_VERSIONS"
    KIND = "CANNOT_BE_DELETED"


REASON_TEXTS = {
    Reason.CHANGED: "the record has been changed since: it holds neither what the run wrote nor"
    " what it held before",
    Reason.DELETED: "the record has been deleted since",
    Reason.NOT_KEPT: "its earlier values were not saved: the task had no `undo: true`",
    Reason.NOT_RECORDED: "what the run wrote was not recorded: it was run by an earlier release",
    Reason.NOT_IN_BIN: "the record is not in the recycle bin: it has been purged, or its Id in"
    " succeeded.csv was changed",
    Reason.DAMAGED: "its Id in succeeded.csv is not the one that the org returned: it was changed",
    Reason.UNKNOWN: "the org has no record with this Id, in the recycle bin either: it has been"
    " purged, or its Id in succeeded.csv was changed",
    Reason.HARD: "the record bypassed the recycle bin: `hard: true`",
    Reason.VERSION: "a version of a file is deleted with the whole file, which has other versions",
    Reason.KIND: "records of this object, such as platform events, cannot be deleted",
    Reason.DOUBT: "the answer was lost: the write may or may not have happened",
}
ACTS: dict[Verb, tuple[Act, ...]] = {
    Verb.CREATE: (Act.DELETE,),
    Verb.UPDATE: (Act.RESTORE,),
    Verb.UPSERT: (Act.RESTORE, Act.DELETE),
    Verb.DELETE: (Act.UNDELETE,),
}
"""How each verb is undone, in this order: lookups are restored before what they look up goes."""
_NULL = literal(EXPLICIT_NULL)
_RESTORE, _DELETE, _UNDELETE = map(literal, Act)


def exchanged(index: WrittenIndex) -> str:
    """SQL of whether a row's Id is not of the record that the row was sent for; '' if unknown.

    Over `r`, the row as listed, `w`, what was sent, and `b`, what the record held before.
    """
    key = index.key.lower()
    if key == "id":
        return "left(w.sent_id, 15) <> r.id15"
    places = [at for at, each in enumerate(index.columns) if each.column.lower() == key]
    if not places:
        return ""
    column = index.columns[places[0]]
    sent, held = (
        f"lower({_comparable(column, canonical(FieldKind.TEXT, cell))})"
        for cell in (f"w.w{places[0]}", f"b.b{index.fields.index(column.field)}")
    )
    first = f"first_value({sent}) OVER (PARTITION BY r.id15 ORDER BY r.row)"
    return f"{sent} <> CASE WHEN b.id15 IS NULL THEN {first} ELSE {held} END"


def act_of(verb: Verb, *, has_before_images: bool) -> str:
    """SQL of the act that undoes a row, over a relation with all rows of its record.

    With before images, a record counts as created only if a read just before one of its rows did
    not find it: after a lost answer, an upsert's `created` is only a guess by time.
    """
    if verb is not Verb.UPSERT:
        return literal(ACTS[verb][0])
    record = "(PARTITION BY id15, CASE WHEN id15 IS NULL THEN row END)"
    created = f"bool_or(created) OVER {record}"
    test = f"coalesce({created}, false)"
    if has_before_images:
        test = f"bool_or(NOT found) OVER {record} AND coalesce({created}, true)"
    return f"CASE WHEN NOT doubt AND {test} THEN {_DELETE} ELSE {_RESTORE} END"


def decisions(index: WrittenIndex, *, hard: bool, deletable: bool = True) -> str:
    """The SELECT of one row per record: act, row, id, decision, why, fields, restore_0, ….

    Args:
        index: What was sent.
        hard: Whether the run deleted past the recycle bin.
        deletable: Whether records of the object can be deleted.
    """
    places = range(len(index.fields))
    restorable = [_column_of(index, at)[1].restorable for at in places]
    # Only a field that the run sent, and that differs from what was there before, matters.
    restore = [f"(sent_{at} AND intact_{at} AND NOT original_{at})" for at in places]
    changed = [f"(sent_{at} AND NOT intact_{at})" for at in places]
    drifted = [
        f"(sent_{at} AND NOT intact_{at} AND NOT original_{at})" if restorable[at] else "false"
        for at in places
    ]
    cells = "".join(
        f", act = {_RESTORE} AND {restore[at]} AND {str(restorable[at]).lower()} AS restore_{at}"
        for at in places
    )
    is_done = _is_done(_any([restore[at] for at in places if restorable[at]]))
    why = _why(_any(drifted), _any(changed), hard=hard, deletable=deletable)
    return (
        f"SELECT *, CASE WHEN why IS NOT NULL THEN '{Decision.LEFT}'"
        f" WHEN is_done THEN '{Decision.NOTHING}' ELSE '{Decision.UNDO}' END AS decision FROM ("
        f"SELECT c.id15, act, row, c.id, {why} AS why, {is_done} AS is_done,"
        f" {_changed_fields(index.fields, drifted, changed)} AS fields{cells}"
        f" FROM ({_compared(index)}) c LEFT JOIN bin ON bin.id15 = c.id15"
        " LEFT JOIN document ON document.id15 = c.id15)"
    )


def _compared(index: WrittenIndex) -> str:
    """One row per record: what is known of it, and three tests of each field."""
    tests = "".join(f", {each}" for at in range(len(index.fields)) for each in _tests(index, at))
    return (
        "SELECT v.id15, v.act, min(v.row) AS row, arg_min(v.id, v.row) AS id,"
        " bool_or(v.doubt) AS doubt, bool_or(v.damaged) AS damaged,"
        " bool_or(v.is_unknown) AS is_unknown, bool_or(v.is_recorded) AS is_recorded,"
        f" bool_or(v.is_alive) AS is_alive, bool_or(v.has_before) AS has_before{tests}"
        f" FROM ({_with_comparables(index)}) v"
        " GROUP BY v.id15, v.act, CASE WHEN v.id15 IS NULL THEN v.row END"
    )


def _with_comparables(index: WrittenIndex) -> str:
    """Each row with what is known of it, and what each of its values is compared by: `n0_is`, ….

    In two steps, because the second mentions each value several times: DuckDB would take longer
    to read and bind a long statement than to run it.
    """
    columns = {f"w{place}": column for place, column in enumerate(index.columns)}
    for at in range(len(index.fields)):
        columns |= dict.fromkeys((f"n{at}", f"b{at}"), _column_of(index, at)[1])
    plain = {
        cell: canonical(FieldKind.TEXT, cell) if column.kind is FieldKind.TEXT else cell
        for cell, column in columns.items()
    }
    first = "".join(f", {value} AS {cell}_plain" for cell, value in plain.items())
    second = "".join(
        f", {_comparable(column, f'{cell}_plain')} AS {cell}_is" for cell, column in columns.items()
    )
    return f"SELECT *{second} FROM (SELECT *{first} FROM ({_joined(index)}))"


def _joined(index: WrittenIndex) -> str:
    """Each row with what was sent (`w0`, …), what is there (`n0`, …) and what was (`b0`, …)."""
    places = range(len(index.fields))
    cells = "".join(f", w.w{place}" for place in range(len(index.columns)))
    cells += "".join(f", n.n{at}, b.b{at}" for at in places)
    parents = [place for place, column in enumerate(index.columns) if column.parent is not None]
    cells += "".join(f", p{place}.id AS parent_{place}" for place in parents)
    joins = "".join(
        f" LEFT JOIN parent p{place} ON p{place}.place = '{place}'"
        f" AND lower({trimmed(f'p{place}.key')}) = lower({trimmed(f'w.w{place}')})"
        for place in parents
    )
    return (
        "SELECT d.id15, d.act, d.row, d.id, d.doubt, d.damaged,"
        " d.id15 IN (SELECT id15 FROM unknown) AS is_unknown, w.row IS NOT NULL AS is_recorded,"
        " n.id15 IS NOT NULL OR u.id15 IS NOT NULL AS is_alive, b.id15 IS NOT NULL AS has_before,"
        f" u.id15 IS NOT NULL AS is_undeleted{cells}"
        " FROM done d LEFT JOIN written w ON w.row = d.row LEFT JOIN present n ON n.id15 = d.id15"
        " LEFT JOIN before b ON b.id15 = d.id15 LEFT JOIN undeleted u ON u.id15 = d.id15"
        f"{joins}"
    )


def _tests(index: WrittenIndex, at: int) -> Iterator[str]:
    """Whether the run sent a field, and whether it holds what was sent, or what it held before."""
    place, column = _column_of(index, at)
    sent, wrote = f"w{place}", f"w{place}_is"
    if column.parent is not None:
        parent_id = f"coalesce(left(parent_{place}, 15), '?')"
        wrote = f"CASE WHEN {sent} = {_NULL} THEN '' ELSE {parent_id} END"
    intact = f"n{at}_is = {wrote} OR {_rounded(column, f'n{at}', sent)} OR is_undeleted"
    yield f"bool_or({sent} IS NOT NULL) AS sent_{at}"
    yield f"coalesce(bool_or({intact}) FILTER ({sent} IS NOT NULL), false) AS intact_{at}"
    yield f"bool_and(n{at}_is = b{at}_is AND NOT is_undeleted) AS original_{at}"


def _comparable(column: WrittenColumn, text: str) -> str:
    """SQL of a text that is the same for values that are equal in the org; '' for null.

    Args:
        column: What the value is of.
        text: SQL of the value; canonical if it is text.
    """
    if column.kind in NUMBERS:
        return f"coalesce(CAST({number(text)} AS VARCHAR), {comparable(column.kind, text)})"
    if column.kind is FieldKind.DATETIME:
        return second(comparable(column.kind, text))
    if column.kind is FieldKind.BOOLEAN:
        return f"coalesce(nullif({comparable(column.kind, text)}, ''), 'false')"
    if column.kind is not FieldKind.TEXT:
        return comparable(column.kind, text)
    plain = trimmed(comparable(FieldKind.TEXT, text))
    if column.type == "multipicklist":
        return f"array_to_string({as_set(plain)}, ';')"
    return plain


def _rounded(column: WrittenColumn, present: str, sent: str) -> str:
    """SQL of whether a number is another one at the field's scale, rounded either way."""
    if column.kind not in NUMBERS or column.parent is not None:
        return "false"
    difference = f"abs({number(present)} - {number(sent)})"
    return f"coalesce({difference} <= {half_a_unit(column.scale)}, false)"


def _why(drifted: str, changed: str, *, hard: bool, deletable: bool) -> str:
    """SQL of the reason to leave a record; NULL if there is none. The first match decides."""
    rules: Sequence[tuple[str, Reason | None]] = (
        ("doubt", Reason.DOUBT),
        ("damaged", Reason.DAMAGED),
        (f"act = {_DELETE} AND {str(not deletable).lower()}", Reason.KIND),
        (f"act = {_UNDELETE} AND {str(hard).lower()}", Reason.HARD),
        (f"act = {_UNDELETE} AND bin.id15 IS NULL", Reason.NOT_IN_BIN),
        (f"act = {_UNDELETE}", None),
        ("is_unknown AND NOT is_alive", Reason.UNKNOWN),
        (f"act = {_DELETE} AND NOT is_alive", None),
        (f"act = {_DELETE} AND document.is_whole = 'false'", Reason.VERSION),
        (f"act = {_DELETE} AND NOT is_recorded", Reason.NOT_RECORDED),
        (f"act = {_DELETE} AND ({changed})", Reason.CHANGED),
        (f"act = {_DELETE}", None),
        ("NOT (is_recorded AND has_before)", Reason.NOT_KEPT),
        ("NOT is_alive", Reason.DELETED),
        (drifted, Reason.CHANGED),
    )
    cases = " ".join(f"WHEN {test} THEN {literal(why) if why else 'NULL'}" for test, why in rules)
    return f"CASE {cases} END"


def _is_done(needs_restore: str) -> str:
    """SQL of whether a record already is as it was before the run."""
    return (
        f"CASE act WHEN {_UNDELETE} THEN bin.gone = 'false' WHEN {_DELETE} THEN NOT is_alive"
        f" ELSE NOT ({needs_restore}) END"
    )


def _changed_fields(fields: Sequence[str], drifted: Sequence[str], changed: Sequence[str]) -> str:
    """SQL of the fields that somebody else has changed; they matter only if that is the reason."""

    def listed(tests: Sequence[str]) -> str:
        pairs = zip(fields, tests, strict=True)
        cases = ", ".join(f"CASE WHEN {test} THEN {literal(one)} END" for one, test in pairs)
        return f"nullif(concat_ws(' ', {cases}), '')"

    if not fields:
        return "CAST(NULL AS VARCHAR)"
    names = f"CASE act WHEN {_DELETE} THEN {listed(changed)} ELSE {listed(drifted)} END"
    return f"CASE WHEN is_alive THEN {names} END"


def _column_of(index: WrittenIndex, at: int) -> tuple[int, WrittenColumn]:
    """The column that fills a field, and its place."""
    field = index.fields[at]
    return next((place, c) for place, c in enumerate(index.columns) if c.field == field)


def _any(tests: Sequence[str]) -> str:
    return " OR ".join(tests) or "false"
