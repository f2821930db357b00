"""Which cells of a row come from the bytes that were read, and which DuckDB computes.

Knows mappings. Knows nothing of files or of how rows are put together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.job.choices import Blank
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv import CODE_COLUMN, MESSAGE_COLUMN
from runner.tables.staging.as_is import HASHED, asked_of, longest_record, shows_in_bytes
from runner.tables.staging.as_is_bytes import Look
from runner.tables.staging.key_hashes import key_of
from runner.tables.staging.text_steps import TextSteps, text_steps

if TYPE_CHECKING:
    from runner.tables.staging.mapping import ColumnMapping

_WORDS = {FieldKind.BOOLEAN}
_LEAST_SHARE = 3
"""Of so many columns, more than one is to be sent as it is read: else it does not pay."""
STAND_IN = "__not_read"
"""Name of every column that DuckDB does not get: an expression over it would be an error."""


class SplicePlan(Struct, frozen=True):
    """Where each cell to send comes from."""

    look: Look
    """What to look for in bytes."""
    computed: tuple[ColumnMapping, ...]
    """Whose cells DuckDB gives, in order."""
    passed: Mapping[int, str]
    """Columns whose values DuckDB does not change, and SQL of whether one may have to be."""
    columns: tuple[str, ...]
    """The source's; each that DuckDB does not get has another name."""


def splice_plan(  # noqa: PLR0913 - what is read, how, and what is wanted of it
    mappings: Sequence[ColumnMapping],
    columns: Sequence[str],
    passed: Mapping[int, str],
    blank: Blank,
    odd: Container[int] = (),
    *,
    hashes: bool = False,
) -> SplicePlan | None:
    """Decide where each cell to send comes from.

    Args:
        mappings: How each cell is computed.
        columns: The source's.
        passed: Columns whose values are sent as they are read, and SQL of whether one may not be.
        blank: What an empty value does to its field.
        odd: Places of columns whose texts only DuckDB can change.
        hashes: Whether hashes of the keys are wanted; if not, DuckDB gets the keys.

    Returns:
        None if bytes that were read are too little of what is sent for it to pay.
    """
    if len(mappings) == 1 or {CODE_COLUMN, MESSAGE_COLUMN, STAND_IN} & {*columns}:
        return None
    shown = {each.index for each in mappings if shows_in_bytes(each, blank)}
    words = {i for i in shown.difference(passed) if _may_be_word(mappings[i], blank)}
    steps = _steps(mappings, blank, odd)
    may_be_sent = words.union(passed, steps)
    sent = _in_order([each for each in mappings if each.index in may_be_sent])
    made = words.union(steps)
    key, in_bytes = key_of(mappings), shown.union(steps).intersection(sent)
    hashed = key if hashes and key and key.column.kind in HASHED else None
    read = [m for m in mappings if m.index not in in_bytes or (m is key and m is not hashed)]
    used = {place for each in read for place in each.places}
    # What is used and not sent as it is read is computed.
    sent = {i: each for i, each in sent.items() if i not in made or each.places[0] not in used}
    computed = tuple(each for each in mappings if each.index not in sent)
    free = {each.places[0] for i, each in sent.items() if i in made}
    used |= _more(used, [at for at in range(len(columns)) if at not in free]) if read else set()
    known = {i: each for i, each in sent.items() if i in in_bytes and each.places[0] not in used}
    plain = {each.places[0]: each.column for i, each in known.items() if i not in made}
    taken = {sent[i].places[0]: each for i, each in steps.items() if i in sent}
    longest = {at: column.max_length for at, column in plain.items()} | {
        each.places[0]: _longest(each, steps[i]) for i, each in sent.items() if i in steps
    }
    look = Look(
        len(columns),
        {place: column.kind for place, column in plain.items()},
        {at: most for at, most in longest.items() if most is not None},
        _longest_record(mappings, computed, taken.values()),
        [each.places[0] if each.index in sent else None for each in mappings],
        {each.places[0] for i, each in known.items() if i in words},
        taken,
        used,
        {each.places[0]: asked_of(each, blank) for i, each in known.items() if i not in made},
    )
    if _LEAST_SHARE * len(known) <= len(columns):
        return None
    others = {*look.others}
    return SplicePlan(
        look,
        computed,
        {**passed, **dict.fromkeys(known, "false")},
        tuple(name if place in others else STAND_IN for place, name in enumerate(columns)),
    )


def _may_be_word(mapping: ColumnMapping, blank: Blank) -> bool:
    return mapping.column.kind in _WORDS and not asked_of(mapping, blank).is_filled


def _in_order(mappings: Sequence[ColumnMapping]) -> dict[int, ColumnMapping]:
    """As many columns as are sent in the order in which they are read, by their index."""
    last: list[int] = []
    chains: list[tuple[ColumnMapping, ...]] = []
    for each in mappings:
        (place,) = each.places
        at = bisect_left(last, place)
        before = chains[at - 1] if at else ()
        last[at : at + 1] = [place]
        chains[at : at + 1] = [(*before, each)]
    return {each.index: each for each in chains[-1]} if chains else {}


def _more(used: set[int], places: Sequence[int]) -> set[int]:
    """As many places as make it two: of one column, DuckDB takes a blank value for no row."""
    others = [place for place in places if place not in used]
    return {*others[: max(2 - len(used), 0)]}


def _longest_record(
    mappings: Sequence[ColumnMapping],
    computed: Sequence[ColumnMapping],
    steps: Iterable[TextSteps],
) -> int | None:
    """How long a record may be so that the row to send is surely not too long."""
    most = longest_record(mappings)
    texts = [each.column for each in computed if each.column.kind is FieldKind.TEXT]
    if most is None:
        return None
    more = sum(each.max_length or 0 for each in texts) + sum(each.added for each in steps)
    return max(most - more, 0)


def _steps(
    mappings: Sequence[ColumnMapping], blank: Blank, odd: Container[int]
) -> dict[int, TextSteps]:
    """The expressions that a look at the bytes computes, by their index."""
    found: dict[int, TextSteps] = {}
    for each in mappings:
        column = each.column
        is_text = column.kind is FieldKind.TEXT and not (column.is_list or column.is_file)
        if each.computed is None or each.format or blank is Blank.CLEAR or column.identifies:
            continue  # keys are trimmed
        if each.with_nan:
            continue  # a row with NaN fails
        steps = text_steps(column.expression or "") if is_text and not column.found_by else None
        if steps and each.places[0] not in odd and _longest(each, steps) != 0:
            found[each.index] = steps
    return found


def _longest(mapping: ColumnMapping, steps: TextSteps) -> int | None:
    """How many bytes a text may have before something is added to it."""
    most = mapping.column.max_length
    return most if most is None else max(most - steps.added, 0)
