"""Chunks that are checked together, as bytes, are those that mapping value by value gives."""

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from pytest import MonkeyPatch  # noqa: PT013 - hypothesis takes no fixture

from runner.job.choices import Blank
from runner.tables.field_types import MappedColumn
from runner.tables.staging import as_is_bytes
from tests.luajit_choice import compile_always, compile_never
from tests.property.staged_chunks import FIELDS, ODD, USUAL, staged
from tests.short_form import sampled

odd_rows = st.tuples(*(st.sampled_from(ODD[each.field]) for each in FIELDS))
COMPUTED = (None, "upper(text)", "k || chr(13) || '!'", "CASE WHEN sum > '5' THEN day END")
ROWS = 26
"""In about six chunks."""
places = st.dictionaries(st.integers(0, ROWS - 1), odd_rows, max_size=3)


USUALLY = {"line_end": "\n", "blank": Blank.KEEP, "is_cut": False, "computed": None}


@sampled(3)
@given(
    odd=places,
    is_compiled=st.booleans(),
    knows_keys=st.booleans(),
    line_end=st.sampled_from(("\n", "\r\n")),
    blank=st.sampled_from(Blank),
    is_cut=st.booleans(),
    computed=st.sampled_from(COMPUTED),
)
@example(odd={}, is_compiled=False, knows_keys=False, **USUALLY)
@example(odd={}, is_compiled=True, knows_keys=False, **USUALLY)
@example(odd={}, is_compiled=True, knows_keys=True, **USUALLY)
@example(odd={22: ("K3", *[""] * 8)}, is_compiled=True, knows_keys=False, **USUALLY)
@example(odd={22: ("K3", *[""] * 8)}, is_compiled=True, knows_keys=True, **USUALLY)
@example(odd={22: ("é3", *[""] * 8)}, is_compiled=True, knows_keys=True, **USUALLY)
@example(odd={22: ("", "x", *[""] * 7)}, is_compiled=True, knows_keys=True, **USUALLY)
@example(odd={22: [""] * 9}, is_compiled=True, knows_keys=True, **USUALLY)
@example(
    odd={18: ("k1", "x", "1", "yes", *[""] * 5)},
    is_compiled=True,
    knows_keys=True,
    **USUALLY | {"is_cut": True, "computed": "upper(text)"},
)
def test_rows_are_the_same_whether_chunks_are_checked_together_or_mapped(
    odd, is_compiled, knows_keys, line_end, blank, is_cut, computed
):
    rows = [odd.get(at, (f"k{at}", *USUAL)) for at in range(ROWS)]
    content = line_end.join([",".join(each.field for each in FIELDS), *map(",".join, rows), ""])
    fields = [replace(each, is_cut=is_cut and each.field == "text") for each in FIELDS]
    if computed:
        fields.append(MappedColumn("more", computed, max_length=20))
    with MonkeyPatch.context() as patch:
        (compile_always if is_compiled else compile_never)(patch)
        patch.setattr(as_is_bytes, "_BLOCK_BYTES", 150)
        together, fast = staged(content, fields, blank, is_fast=True, knows_keys=knows_keys)
    _, slow = staged(content, fields, blank, is_fast=False)
    assert fast == slow
    assert together > 2 or odd or computed


def test_a_row_that_is_too_long_for_bulk_is_found_in_a_chunk_that_is_only_looked_at(monkeypatch):
    compile_always(monkeypatch)
    rows = ["a,b,c,d,e", *["x,x,x,x,x"] * 400, ",".join(["x" * 90_000] * 5), "y,y,y,y,y", ""]
    columns = [MappedColumn(each, None) for each in "abcde"]
    together, (_, known, problems) = staged("\n".join(rows), columns, Blank.KEEP, is_fast=True)
    assert together > 2
    assert [rejected for _, _, rejected, *_ in known if rejected] == [1]
    assert "the row has 450,000 characters" in str(problems)
