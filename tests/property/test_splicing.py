"""Rows of which only some cells are computed are those that mapping value by value gives."""

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from pytest import MonkeyPatch  # noqa: PT013 - hypothesis takes no fixture

from runner.job.choices import Blank
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.staging import as_is_bytes, splice
from tests.luajit_choice import compile_always
from tests.property.staged_chunks import FIELDS, ODD, USUAL, count_spliced, staged
from tests.short_form import sampled

KEY, *OTHERS = (replace(each, expression=f'"{each.field}"') for each in FIELDS)
WORDS = {
    "yes": MappedColumn("Yes", "word", FieldKind.BOOLEAN),
    "no": MappedColumn("No", "spaced", FieldKind.BOOLEAN),
}
COMPUTED = {
    "upper": MappedColumn("Upper", "upper(text)", max_length=20),
    "noted": MappedColumn("Noted", "note || '!'", max_length=20),
    "constant": MappedColumn("Constant", "'a, \"b\"'"),
    "blank": MappedColumn("Blank", "nullif(sum, sum)"),
    "number": MappedColumn("Twice", "CAST(sum AS DECIMAL(18, 2)) * 2", FieldKind.NUMBER),
    "lines": MappedColumn("Lines", "k || chr(13) || chr(10) || '!'"),
    "moment": MappedColumn("Moment", "day || 'T00:00:00Z'", FieldKind.DATETIME),
    "again": MappedColumn("Again", "text", max_length=12),
    "mark": MappedColumn("Mark", "chr(65279) || k"),
    "trimmed": MappedColumn("Trimmed", "trim(title)", max_length=20),
    "quoted": MappedColumn("Quoted", "'\"' || lower(title) || ' #1'", max_length=20),
    "spaced": MappedColumn("After", "TRIM(upper(title)) || ' x'", max_length=20),
    "titled": MappedColumn("Titled", "title || 'é,'", max_length=20),
    "flag": MappedColumn("Flag", "word = 'yes'", FieldKind.BOOLEAN),
}
MORE = {each.field: each for each in OTHERS} | WORDS | COMPUTED
COLUMNS = (*(each.field for each in FIELDS), "word", "spaced", "note", "title", "unused")
odd_cells = ODD | {
    "word": ("", "TRUE", "n", "1.0", '"yes"', "maybe", " yes", "#N/A", "truely"),
    "spaced": ("", "off", "no ", "0"),
    "note": ("", " ", "  x ", '"a,b"', '"""x"""', '"x\ny"', '""', "#", "\ufeffx", "x" * 30, '" "'),
    "title": (
        *("", " ", "  ", "\t", "\tx", "x\t ", " Ada ", "\u00c4rger ", "STRA\u00dfe", "\u00a0x"),
        *("x\u3000", "\u2003", '"  a,b "', '" ""q"" "', '"a\nB"', "#5", '"#5"', '""'),
        *("x" * 19, '"x"', "\ufeff"),
    ),
    "unused": ("", " ", '"a"', '""', "much text", '"a\n\nb"'),
}


@st.composite
def odd_rows(draw):
    """A usual row of which one cell or every cell may be another."""
    if draw(st.booleans()):
        return {column: draw(st.sampled_from(odd_cells[column])) for column in COLUMNS}
    column = draw(st.sampled_from(COLUMNS))
    return {column: draw(st.sampled_from(odd_cells[column]))}


USUAL_ROW = dict(zip(COLUMNS[1:], (*USUAL, "yes", "1", "note", " The Title", "x"), strict=True))
ROWS = 26
ALL = tuple(MORE)
IN_ORDER = ("upper", "text", "noted", "sum", "ok", "day", "yes", "no", "trimmed")


@sampled(2)
@given(
    fields=st.lists(st.sampled_from(ALL), min_size=1, unique=True),
    odd=st.dictionaries(st.integers(0, ROWS - 1), odd_rows(), max_size=3),
    line_end=st.sampled_from(("\n", "\r\n")),
    blank=st.sampled_from((Blank.KEEP, Blank.KEEP, Blank.CLEAR)),
    is_cut=st.booleans(),
    has_key=st.booleans(),
)
@example(fields=IN_ORDER, odd={}, line_end="\n", blank=Blank.KEEP, is_cut=False, has_key=True)
@example(fields=IN_ORDER, odd={}, line_end="\n", blank=Blank.KEEP, is_cut=True, has_key=False)
@example(
    fields=("sum", "ok", "day", "at", "clock", "noted", "quoted"),
    odd={11: {"title": '"A,b"'}, 15: {"note": "\t"}, 19: {"title": "\u00c9"}},
    line_end="\n",
    blank=Blank.KEEP,
    is_cut=False,
    has_key=True,
)
@example(fields=ALL, odd={}, line_end="\r\n", blank=Blank.KEEP, is_cut=False, has_key=True)
@example(
    fields=("text", "sum", "ok", "day", "at", "count"),
    odd={19: {"unused": '"a\n\nb"'}, 20: {"text": '"a,b"'}, 21: {"note": " "}},
    line_end="\n",
    blank=Blank.KEEP,
    is_cut=False,
    has_key=False,
)
@example(
    fields=("noted", "text", "sum", "ok", "day", "at"),
    odd={
        11: {"note": ""},
        18: dict.fromkeys(COLUMNS, "") | {"note": " "},
        22: {"note": '"a,b"'},
        25: {"note": '"""x"""'},
    },
    line_end="\n",
    blank=Blank.KEEP,
    is_cut=True,
    has_key=False,
)
def test_rows_are_the_same_whether_only_some_cells_are_computed_or_all(
    fields, odd, line_end, blank, is_cut, has_key
):
    rows = [{"k": f"k{at}"} | USUAL_ROW | odd.get(at, {}) for at in range(ROWS)]
    lines = [",".join(COLUMNS), *(",".join(row[c] for c in COLUMNS) for row in rows), ""]
    columns = [MORE[each] for each in fields]
    columns = [replace(each, is_cut=is_cut and each.max_length == 20) for each in columns]
    columns = [KEY, *columns] if has_key else columns
    fast = []
    with MonkeyPatch.context() as patch:
        compile_always(patch)
        patch.setattr(as_is_bytes, "_BLOCK_BYTES", 150)
        patch.setattr(splice, "_READ_BYTES", 70)
        spliced = count_spliced(patch)
        for knows_keys in (True, False):
            found = staged(
                line_end.join(lines), columns, blank, is_fast=True, knows_keys=knows_keys
            )
            fast.append(found[1])
    _, slow = staged(line_end.join(lines), columns, blank, is_fast=False)
    assert fast == [slow, slow]
    if fields == IN_ORDER and not odd:
        assert len(spliced) > 3
        assert all(spliced)
