"""Rows that are mapped, and results that are written, without DuckDB are as DuckDB has them."""

import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest import MonkeyPatch  # noqa: PT013 - hypothesis takes no fixture

from runner.errors import SourceError
from runner.job.choices import Duplicates
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Verb
from runner.outcome import RowResult, RowStatus
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.results import held_results
from runner.tables.results.row_results import RowResults
from runner.tables.sources import chunks
from runner.tables.staging import rows as staged_rows
from runner.tables.staging.duplicates import settle_duplicates
from runner.tables.staging.plain_expressions import OddValueError, changed_case, computation
from runner.tables.staging.rows import StagedRows
from tests.short_form import sampled

ORDINARY = {
    "k": ("K1", "k2", "é3", "k 4", "k5", "k6", "k7", "k8"),
    "t": ("", "a", " a ", "\u00a0a\u3000", "x,y", "#1", 'say "b"', "two\nlines", "straße", "ÀÉÿ"),
    "n": ("", "0", "1.50", "-12", "123456789012345678"),
    "i": ("", "0", "7", "-3"),
    "b": ("", "true", "false", "yes", "No", "ON", "1"),
    "d": ("", "2024-02-29", "0001-01-01", "9999-12-31"),
    "m": ("", "2026-01-31T08:00:00.000Z", "2024-02-29T23:59:59.999Z"),
    "h": ("", "08:00:00.000Z"),
    "r": ("", "001000000000000", "001000000000000AAA"),
}
ODD = {
    "k": ("", " ", " k1", "#N/A", "k1", "İ", "\t", "Ω"),
    "t": ("#N/A", "much too long for it", "\t", "\ufeff", "İ", "Σ", "\0", "a\rb", "ŉ", "ẞ", "ab"),
    "n": ("1e3", "007", "1.", "lots", " 1", "1234567890123456789", "#N/A"),
    "i": ("1.0", "x", "#N/A"),
    "b": ("maybe", " true", "#N/A", "tRuE"),
    "d": ("2023-02-29", "2024-1-1", "2024-02-29 00:00", "soon", "0000-01-01", "2024-02-29\u0660"),
    "m": ("2026-02-30T08:00:00.000Z", "2026-01-31T08:00:00", "0026-01-31T08:00:00.000Z"),
    "h": ("8:00", "24:00:00.000Z"),
    "r": ("003000000000000", "x"),
}
NAMES = tuple(ORDINARY)
FIELDS = (
    MappedColumn("Key__c", "k", required=True, tells_case=False, max_length=9),
    MappedColumn("Text__c", "t", max_length=12),
    MappedColumn("Number__c", "n", FieldKind.NUMBER),
    MappedColumn("Count__c", "I", FieldKind.INTEGER),
    MappedColumn("Ok__c", "b", FieldKind.BOOLEAN),
    MappedColumn("Day__c", "d", FieldKind.DATE),
    MappedColumn("At__c", "m", FieldKind.DATETIME),
    MappedColumn("Time__c", "h", FieldKind.TIME),
    MappedColumn("Parent__c", "r", FieldKind.ID, id_prefix="001"),
)
EXPRESSIONS = (
    *("trim(t)", "ltrim(t)", "rtrim(t)", "upper(t)", "LOWER(T)", "lower(upper(trim(t)))"),
    *("t || '!'", "k || '-' || coalesce(t, n, 'it''s')", "nullif(t, 'a')", "coalesce(t, '')"),
    *("replace(t, 'a', 'bb')", "replace(t, '', 'b')", "replace(t, n, i)", "'constant'", "(t)"),
    *("concat(t, n)", "abs(n)", "CASE WHEN t = 'a' THEN n END", "trim(t, 'a')", "'x' || n"),
)
KINDS = (FieldKind.TEXT, FieldKind.NUMBER, FieldKind.BOOLEAN)
rows = st.lists(
    st.tuples(*(st.sampled_from(ORDINARY[name]) for name in NAMES[1:])), min_size=1, max_size=8
)
odd_cells = st.dictionaries(
    st.tuples(st.integers(0, 7), st.sampled_from(NAMES)), st.integers(0, 20), max_size=2
)


@sampled(10)
@given(
    rows=rows,
    odd=odd_cells,
    computed=st.none() | st.tuples(st.sampled_from(EXPRESSIONS), st.sampled_from(KINDS)),
    chosen=st.sets(st.integers(1, len(FIELDS) - 1)),
    line_end=st.sampled_from(("\n", "\n", "\r\n")),
    sign=st.sampled_from((",", ",", ";", "|")),
)
@example(
    rows=[("a", "1", "2", "true", "", "", "", "")],
    odd={},
    computed=None,
    chosen=set(range(1, len(FIELDS))),
    line_end="\n",
    sign=",",
)
@example(
    rows=[("straße", "1", "2", "yes", "", "", "", "")] * 2,
    odd={(1, "t"): 10},
    computed=("upper(t)", FieldKind.TEXT),
    chosen={1, 2},
    line_end="\n",
    sign=",",
)
def test_rows_are_mapped_as_by_duckdb(rows, odd, computed, chosen, line_end, sign):
    named = [(ORDINARY["k"][at], *cells) for at, cells in enumerate(rows)]
    for (at, name), which in odd.items():
        if at < len(named):
            cells = [*named[at]]
            cells[NAMES.index(name)] = ODD[name][which % len(ODD[name])]
            named[at] = tuple(cells)
    lines = [NAMES, *named]
    content = "".join(sign.join(map(written, each)) + line_end for each in lines)
    fields = [FIELDS[0], *(FIELDS[at] for at in sorted(chosen))]
    if computed:
        fields.append(MappedColumn("More__c", computed[0], computed[1], max_length=20))
    plain, is_open = staged(content, fields, uses_engine=False)
    by_duckdb, _ = staged(content, fields, uses_engine=True)
    assert plain == by_duckdb
    assert odd or computed or not is_open or line_end + sign != "\n,"


def written(cell):
    needs = any(sign in cell for sign in ',;|"\n\r#')
    return '"' + cell.replace('"', '""') + '"' if needs else cell


def staged(content, fields, *, uses_engine):
    """Everything that is known of staged rows, and whether DuckDB was needed for it."""
    with tempfile.TemporaryDirectory() as name, MonkeyPatch.context() as patch:
        if uses_engine:
            patch.setattr(staged_rows, "plain_mapper", lambda *_: None)
        folder = Path(name)
        (folder / "source.csv").write_text(content, encoding="utf-8", newline="")
        staging = StagedRows(folder / "staging")
        staging.load(FileSource(folder / "source.csv", FileShape(FileFormat.CSV)))
        try:
            staging.map(fields)
        except SourceError as error:
            staging.discard()
            return error.message, True
        settle_duplicates(staging, Duplicates.FAIL)
        batches = list(staging.batches(3))
        is_open = staging.database.is_open
        known = [(c.first_row, c.rows, c.rejected, c.sent_bytes, c.blank) for c in staging.chunks]
        sent = [chunk.sent_file.read_bytes() for chunk in staging.chunks]
        read = [chunk.read_file.read_bytes() for chunk in staging.chunks]
        linked = [chunk.is_sent_as_read for chunk in staging.chunks]
        problems = [
            staging.database.connection.execute(f"FROM {c.rejected_rows()} ORDER BY row").fetchall()
            for c in staging.chunks
            if c.problems
        ]
        staging.discard()
    return (known, sent, read, linked, batches, problems, staging.source_sha256), is_open


@pytest.fixture
def connection():
    with duckdb.connect(":memory:") as opened:
        yield opened


LETTERS = [chr(point) for point in range(1, 0x3000) if chr(point) != "\r"]


def test_functions_of_one_text_give_what_duckdb_gives(connection):
    """Each of the letters, between two others; or it is left to DuckDB."""
    texts = [f"{letter}aß{letter}" if letter < "ß" else f"{letter}a{letter}" for letter in LETTERS]
    found = 0
    for function in ("lower", "upper", "trim", "ltrim", "rtrim"):
        computed = computation(f"{function}(a)", {"a": 0})
        query = f"SELECT {function}(a) FROM (SELECT unnest(?) AS a)"
        expected = [text for (text,) in connection.execute(query, [texts]).fetchall()]
        for text, by_duckdb in zip(texts, expected, strict=True):
            try:
                (ours,) = computed([[text]])
            except OddValueError:
                continue
            assert ours == by_duckdb
            found += 1
    assert found > 3 * len(LETTERS)
    assert changed_case(["Å", None, "", "ÿ"], str.upper) == ["Å", None, "", "Ÿ"]


said = st.sampled_from(
    (
        *("", "no", 'bad value for restricted picklist field: "x"', "data value too large: abc 1"),
        *("'a' and 'b' of 0015g0000000001AAA", "see https://x.example/y, me@x.example", "1,234.5"),
        *("two\nlines: 12\n", "a,b # c", "VALUE_STRING value x or request", "invalid date: é\r\n"),
        *("value of incorrect type: 5 (max length=3)", "NUL\0"),
    )
) | st.text(max_size=12).filter(lambda text: text.isprintable())
ends = st.one_of(
    st.just(("ok", None)),
    st.just(("ok", None)),
    st.sampled_from((("updated", None), ("unknown", None), ("none", None))),
    st.tuples(st.sampled_from((RowStatus.FAILED, RowStatus.IN_DOUBT, RowStatus.SKIPPED)), said),
)


@sampled(10)
@given(
    ended=st.lists(ends, min_size=1, max_size=60),
    step=st.sampled_from((1, -1, 2)),
    size=st.sampled_from((1, 7, 20)),
    verb=st.sampled_from((Verb.CREATE, Verb.UPSERT, Verb.DELETE)),
    several=st.booleans(),
    in_chunks=st.booleans(),
    are_held=st.booleans(),
)
@example(
    ended=[("ok", None)] * 60,
    step=-1,
    size=20,
    verb=Verb.UPSERT,
    several=False,
    in_chunks=False,
    are_held=True,
)
def test_results_are_written_as_by_duckdb(ended, step, size, verb, several, in_chunks, are_held):
    batches = [list(enumerate(ended, start=1))[at : at + size] for at in range(0, len(ended), size)]
    batches = [*batches[::step], *(batches[1::2] if step == 2 else ())]
    with MonkeyPatch.context() as patch:
        patch.setattr(held_results, "_MOST_BYTES_IN_MEMORY", 10_000_000 if are_held else 700)
        how = {"several": several, "in_chunks": in_chunks}
        held, by_duckdb = (
            results_of(len(ended), batches, verb, uses_table=each, **how) for each in (False, True)
        )
    assert held == by_duckdb


def results_of(count, batches, verb, *, several, in_chunks, uses_table):
    with tempfile.TemporaryDirectory() as name, MonkeyPatch.context() as patch:
        if in_chunks:
            patch.setattr(chunks, "_BLOCK_BYTES", 200)
            patch.setattr(chunks.cut_chunks, "__defaults__", (200,))
        folder = Path(name)
        content = "k,t\n" + "".join(f'k{at},"a\n{at}"\n' for at in range(count))
        (folder / "source.csv").write_text(content, encoding="utf-8", newline="")
        staging = StagedRows(folder / "staging")
        staging.load(FileSource(folder / "source.csv", FileShape(FileFormat.CSV)))
        staging.map([MappedColumn("Key__c", "k", required=True, tells_case=True)])
        if several:
            staging.files = ((1, "a.csv"), (count // 2 + 1, "b.csv"))
        results = RowResults(staging, verb=verb)
        if uses_table:
            results.use_table()
        for batch in batches:
            results.add([result for row, end in batch for result in result_of(row, *end)])
        counts = results.write_files(folder / "results")
        top = results.top_errors()
        assert results.counts() == counts
        files = {file.name: file.read_bytes() for file in (folder / "results").glob("*.csv")}
        is_open = staging.database.is_open
        staging.discard()
    has_null = any(end[1] and "\0" in end[1] for batch in batches for _, end in batch)
    assert in_chunks or is_open is (uses_table or has_null)
    return counts, top, files


def result_of(row, status, message):
    created = {"ok": True, "updated": False, "unknown": None}
    if status == "none":
        return []
    if status in created:
        record_id = f"001{row:012}AAA"
        return [RowResult(row, RowStatus.SUCCEEDED, record_id, created[status])]
    fields = ("Name", "Phone") if row % 2 else ()
    return [
        RowResult(row, status, code="CODE" if row % 3 else None, message=message, fields=fields)
    ]
