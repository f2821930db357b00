"""What becomes of each record that a run touched, as SQL over the tables of an undo.

A record is put back where every field that the run wrote holds still what it wrote, or what it held
before. Values are compared as the org takes them: numbers at the field's scale, moments by the
second, Ids by 15 characters. Knows rules and SQL. Knows nothing of where the tables come from:

    done      row, id, id15, created, doubt, act    what the run did
    written   row, w0, w1, …                        what it sent, by column
    before    id15, b0, b1, …                       what was there, by field
    held      id15, n0, n1, …                       what is there now, by field
    bin       id15, gone                            what is there or in the recycle bin
    parent    place, id, key                        which record a key means
    back      id15                                  what a later step of this undo brings back
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from runner.job.model import Verb
from runner.tables.field_types import EXPLICIT_NULL, FieldKind
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import canonical, comparable
from runner.tables.undo.after_images import WrittenColumn, WrittenIndex


class Act(StrEnum):
    """What putting a record back takes."""

    RESTORE = "restore"
    """Give fields of an updated record their earlier values."""
    DELETE = "delete"
    """Delete a created record."""
    UNDELETE = "undelete"
    """Bring a deleted record back."""


class Decision(StrEnum):
    """What becomes of a record."""

    UNDO = "undo"
    NOTHING = "nothing"
    """It is as it was already."""
    LEFT = "left"
    """It cannot be put back, or must not."""


class Reason(StrEnum):
    """Why a record is left as it is, as the code of its row."""

    CHANGED = "CHANGED_SINCE"
    DELETED = "DELETED_SINCE"
    NOT_KEPT = "NOT_KEPT"
    NOT_TOLD = "NOT_RECORDED"
    NOT_IN_BIN = "NOT_IN_RECYCLE_BIN"
    HARD = "HARD_DELETED"
    DOUBT = "ANSWER_LOST"


REASON_TEXTS = {
    Reason.CHANGED: "the record holds what neither the run wrote nor was there before",
    Reason.DELETED: "the record was deleted since",
    Reason.NOT_KEPT: "what the record held before was not kept: the task had no `undo: true`",
    Reason.NOT_TOLD: "what the run wrote was not kept: an earlier release carried it out",
    Reason.NOT_IN_BIN: "the record is not in the recycle bin any more",
    Reason.HARD: "the record skipped the recycle bin: `hard: true`",
    Reason.DOUBT: "the answer was lost: nobody knows whether the row was carried out",
}
ACTS: dict[Verb, tuple[Act, ...]] = {
    Verb.CREATE: (Act.DELETE,),
    Verb.UPDATE: (Act.RESTORE,),
    Verb.UPSERT: (Act.RESTORE, Act.DELETE),
    Verb.DELETE: (Act.UNDELETE,),
}
"""What a verb's undo takes, in the order it is done: what lookups held before comes back first."""
_MOST_DIGITS = 38
_MOST_SCALE = 15
"""Leaves room for the 18 digits that a field may hold, wherever its point stands."""
_NULL = literal(EXPLICIT_NULL)
_RESTORE, _DELETE, _UNDELETE = (literal(act) for act in Act)


def act_of(verb: Verb, *, kept: bool) -> str:
    """SQL of the act that undoes a row of a relation with all rows of its record.

    Where earlier values were kept, a record is taken for created only if a reading just before one
    of its rows did not find it: what an upsert was told after a lost answer is a guess by time.
    """
    if verb is not Verb.UPSERT:
        return literal(ACTS[verb][0])
    created = "bool_or(created) OVER (PARTITION BY id15)"
    test = f"coalesce({created}, false)"
    if kept:
        test = f"bool_or(NOT found) OVER (PARTITION BY id15) AND coalesce({created}, true)"
    return f"CASE WHEN NOT doubt AND {test} THEN {_DELETE} ELSE {_RESTORE} END"


def decisions(index: WrittenIndex, *, hard: bool) -> str:
    """The SELECT of one row a record: act, row, id, decision, why, fields, restore_0, …."""
    count = len(index.fields)
    may = [_column_of(index, at)[1].restorable for at in range(count)]
    put = [_of(at, "touched_{0} AND ours_{0} AND NOT same_{0}") for at in range(count) if may[at]]
    drift = [_of(at, "touched_{0} AND NOT ours_{0} AND NOT same_{0}") for at in range(count)]
    drift = [test if may[at] else "false" for at, test in enumerate(drift)]
    foreign = [_of(at, "touched_{0} AND NOT ours_{0}") for at in range(count)]
    restores = "".join(
        f", act = {_RESTORE} AND {_of(at, 'touched_{0} AND ours_{0} AND NOT same_{0}')}"
        f" AND {str(may[at]).lower()} AS restore_{at}"
        for at in range(count)
    )
    return (
        f"SELECT *, CASE WHEN why IS NOT NULL THEN '{Decision.LEFT}'"
        f" WHEN idle THEN '{Decision.NOTHING}' ELSE '{Decision.UNDO}' END AS decision FROM ("
        f"SELECT c.id15, act, row, c.id, {_why(_any(drift), _any(foreign), hard=hard)} AS why,"
        f" {_idle(_any(put))} AS idle, {_blamed(index.fields, drift, foreign)} AS fields{restores}"
        f" FROM ({_compared(index)}) c LEFT JOIN bin ON bin.id15 = c.id15)"
    )


def alike(column: WrittenColumn, text: str) -> str:
    """SQL of a text that is equal for values that the org holds to be equal, '' for none."""
    if column.kind in {FieldKind.NUMBER, FieldKind.INTEGER}:
        return f"coalesce(CAST({_number(text)} AS VARCHAR), {comparable(column.kind, text)})"
    if column.kind is FieldKind.DATETIME:
        return f"left({comparable(column.kind, text)}, 19)"
    if column.kind is FieldKind.BOOLEAN:
        return f"coalesce(nullif({comparable(column.kind, text)}, ''), 'false')"
    if column.kind is not FieldKind.TEXT:
        return comparable(column.kind, text)
    plain = f"trim({comparable(FieldKind.TEXT, canonical(FieldKind.TEXT, text))}, ' \t\n')"
    if column.type == "multipicklist":
        return f"array_to_string(list_sort(string_split({plain}, ';')), ';')"
    return plain


def _compared(index: WrittenIndex) -> str:
    """One row a record: what is known of it, and of each field three tests."""
    tests = "".join(f", {each}" for at in range(len(index.fields)) for each in _tests(index, at))
    joins = "".join(
        f" LEFT JOIN parent p{place} ON p{place}.place = '{place}'"
        f" AND lower(trim(p{place}.key)) = lower(trim(w.w{place}))"
        for place, column in enumerate(index.columns)
        if column.parent is not None
    )
    return (
        "SELECT d.id15 AS id15, d.act AS act, min(d.row) AS row, arg_min(d.id, d.row) AS id,"
        " bool_or(d.doubt) AS doubt, bool_or(w.row IS NOT NULL) AS known,"
        " bool_or(h.id15 IS NOT NULL OR a.id15 IS NOT NULL) AS alive,"
        f" bool_or(b.id15 IS NOT NULL) AS kept{tests}"
        " FROM done d LEFT JOIN written w ON w.row = d.row LEFT JOIN held h ON h.id15 = d.id15"
        " LEFT JOIN before b ON b.id15 = d.id15 LEFT JOIN back a ON a.id15 = d.id15"
        f"{joins} GROUP BY d.id15, d.act, CASE WHEN d.id15 IS NULL THEN d.row END"
    )


def _tests(index: WrittenIndex, at: int) -> Iterator[str]:
    """Whether a field was written, holds what was written, and holds what it held before."""
    place, column = _column_of(index, at)
    now, sent = alike(column, f"h.n{at}"), f"w.w{place}"
    wrote = alike(column, sent)
    if column.parent is not None:
        meant = f"coalesce(left(p{place}.id, 15), '?')"
        wrote = f"CASE WHEN {sent} = {_NULL} THEN '' ELSE {meant} END"
    ours = f"{now} = {wrote} OR {_rounded(column, f'h.n{at}', sent)} OR a.id15 IS NOT NULL"
    was = f"{now} = {alike(column, f'b.b{at}')} AND a.id15 IS NULL"
    yield f"bool_or({sent} IS NOT NULL) AS touched_{at}"
    yield f"coalesce(bool_or({ours}) FILTER ({sent} IS NOT NULL), false) AS ours_{at}"
    yield f"bool_and({was}) AS same_{at}"


def _rounded(column: WrittenColumn, held: str, sent: str) -> str:
    """SQL of whether a number is what another becomes at the field's scale, either way rounded."""
    if column.kind not in {FieldKind.NUMBER, FieldKind.INTEGER} or column.parent is not None:
        return "false"
    apart = f"abs({_number(held)} - {_number(sent)})"
    return f"coalesce({apart} * 2 * 1{'0' * min(column.scale, _MOST_SCALE)} <= 1, false)"


def _number(text: str) -> str:
    return f"try_cast({text} AS DECIMAL({_MOST_DIGITS}, {_MOST_SCALE}))"


def _why(drift: str, foreign: str, *, hard: bool) -> str:
    """SQL of why a record is left alone; NULL where it is not. The first that holds decides."""
    rules: Sequence[tuple[str, Reason | None]] = (
        ("doubt", Reason.DOUBT),
        (f"act = {_UNDELETE} AND {str(hard).lower()}", Reason.HARD),
        (f"act = {_UNDELETE} AND bin.id15 IS NULL", Reason.NOT_IN_BIN),
        (f"act = {_UNDELETE}", None),
        (f"act = {_DELETE} AND NOT alive", None),
        (f"act = {_DELETE} AND NOT known", Reason.NOT_TOLD),
        (f"act = {_DELETE} AND ({foreign})", Reason.CHANGED),
        (f"act = {_DELETE}", None),
        ("NOT (known AND kept)", Reason.NOT_KEPT),
        ("NOT alive", Reason.DELETED),
        (drift, Reason.CHANGED),
    )
    cases = " ".join(f"WHEN {test} THEN {literal(why) if why else 'NULL'}" for test, why in rules)
    return f"CASE {cases} END"


def _idle(put: str) -> str:
    return (
        f"CASE act WHEN {_UNDELETE} THEN bin.gone = 'false' WHEN {_DELETE} THEN NOT alive"
        f" ELSE NOT ({put}) END"
    )


def _blamed(fields: Sequence[str], drift: Sequence[str], foreign: Sequence[str]) -> str:
    """SQL of the fields that somebody else has changed; only of use where that is why."""

    def listed(tests: Sequence[str]) -> str:
        pairs = zip(fields, tests, strict=True)
        cases = ", ".join(f"CASE WHEN {test} THEN {literal(one)} END" for one, test in pairs)
        return f"nullif(concat_ws(' ', {cases}), '')"

    if not fields:
        return "CAST(NULL AS VARCHAR)"
    told = f"CASE act WHEN {_DELETE} THEN {listed(foreign)} ELSE {listed(drift)} END"
    return f"CASE WHEN alive THEN {told} END"


def _column_of(index: WrittenIndex, at: int) -> tuple[int, WrittenColumn]:
    """The column that fills a field, with its place."""
    wanted = index.fields[at]
    return next((p, c) for p, c in enumerate(index.columns) if c.field == wanted)


def _of(at: int, test: str) -> str:
    return f"({test.format(at)})"


def _any(tests: Sequence[str]) -> str:
    return " OR ".join(tests) or "false"
