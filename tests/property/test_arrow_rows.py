"""Rows that the compiled function parses are those that SQL gives, of the same types."""

from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import AbortedError, ExitCode
from runner.job.endpoints import FileFormat, FileShape
from runner.luajit import can_compile
from runner.tables import arrow, duckdb
from runner.tables.field_types import FieldKind
from runner.tables.staging.canonical_values import open_database
from runner.tables.targets import arrow_rows
from runner.tables.targets.arrow_rows import with_typed_query
from runner.tables.targets.column_types import TypedColumn
from runner.tables.targets.file import write_file
from runner.tables.targets.rest_rows import QueryColumn
from tests.luajit_choice import compile_always, compile_never
from tests.property.bulk_files import bulk_file

pytestmark = pytest.mark.skipif(not can_compile(), reason="no LuaJIT")
COLUMNS = (
    TypedColumn("Text", FieldKind.TEXT),
    TypedColumn("Id", FieldKind.ID),
    TypedColumn("Flag", FieldKind.BOOLEAN),
    TypedColumn("Whole", FieldKind.INTEGER),
    TypedColumn("Größe", FieldKind.NUMBER, 18, 2),
    TypedColumn("Small", FieldKind.NUMBER, 5, 3),
    TypedColumn("Wide", FieldKind.NUMBER, 38, 10),
    TypedColumn("Unknown", FieldKind.NUMBER),
    TypedColumn("Day", FieldKind.DATE),
    TypedColumn("At", FieldKind.TIME),
    TypedColumn("Moment", FieldKind.DATETIME),
)
TEXTS = st.one_of(
    st.sampled_from(["", " ", '"', '""', 'a,b"', "a\nb", "é€😀\ud7ff\U0010ffff", "\r", "x" * 70]),
    st.text(alphabet='xy,"\n\t é€😀', max_size=12),
)
NUMBERS = ("", "0", "-0", "7", "-12.5", "0.10", "00.250", "1.2E1", "250E-2")
DAYS = ("1970-01-01", "0001-01-01", "2000-02-29", "1900-02-28", "1969-12-31", "9999-12-31")
PLAIN = (
    TEXTS,
    st.sampled_from(["", "001000000000001AAA"]),
    st.sampled_from(["", "true", "false"]),
    st.sampled_from(["", "0", "-7", "999999999", "12345678901234", "1E3", "2.0"]),
    st.sampled_from([*NUMBERS, "9.12260031E8", "-9999999999.25"]),
    st.sampled_from([*NUMBERS, "9.999", "-99.999"]),
    st.sampled_from([*NUMBERS, "0.0000000001", "12345678"]),
    st.sampled_from([*NUMBERS, "x"]),
    st.sampled_from(["", *DAYS]),
    st.sampled_from(["", "00:00:00.000Z", "23:59:59.999Z"]),
    st.sampled_from(
        ["", *(f"{day}T23:59:59.999Z" for day in DAYS), "2026-01-31T00:00:00.000+0000"]
    ),
)
RARE = {
    "Text": ("a\0b",),
    "Flag": ("True", "1", "yes", "falsy", "tru"),
    "Whole": ("1.5", " 7", "+7", "12345678901234567", "9223372036854775808", "x", "-", "1_000"),
    "Größe": ("1.234", "1e3", ".5", "1.", "12345678901234567890", "1E400", "E5", "1.2.3", "NaN"),
    "Small": ("100", "0.1234", "99.9999"),
    "Wide": ("1234567890123456789012345678.0123456789", "0.00000000001"),
    "Day": ("2026-02-30", "1900-02-29", "0000-01-01", "2026-13-01", "26-01-01", "2026-1-31", "x"),
    "At": ("24:00:00.000Z", "10:60:00.000Z", "10:00:00Z", "10:00:00.000", "10:00:00.000+0100"),
    "Moment": ("2026-01-31", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000+0200", "x" * 24),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = open_database(tmp_path_factory.mktemp("engine"))
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _few_bytes_at_a_time(monkeypatch):
    compile_always(monkeypatch)
    monkeypatch.setattr(arrow_rows, "_PAYS_FROM", 0)
    monkeypatch.setattr(arrow_rows, "_READ_BYTES", 150)


def read(database, file, columns=COLUMNS):
    """The types and values, or the kind of error; and whether all was parsed."""
    asked = []

    def use(query):
        asked.append(query)
        run = database.connection.execute
        return [each[:2] for each in run(f"DESCRIBE {query}").fetchall()], run(query).fetchall()

    try:
        found = with_typed_query(database, file, columns, use)
    except duckdb.Error as error:
        found = type(error)
    return found, asked == [f"FROM {arrow_rows._RELATION}"]  # noqa: SLF001 - nothing else shows it


def by_sql(database, file, columns=COLUMNS):
    with pytest.MonkeyPatch.context() as patch:
        compile_never(patch)
        found, is_parsed = read(database, file, columns)
    assert not is_parsed
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(*PLAIN), max_size=12))
def test_both_ways_give_the_same(tmp_path, database, rows):
    file = bulk_file(tmp_path, rows, COLUMNS)
    found, is_parsed = read(database, file)
    assert found == by_sql(database, file)
    assert is_parsed


@pytest.mark.parametrize(
    ("name", "cell"), [(name, c) for name, cells in RARE.items() for c in cells]
)
def test_a_rare_value_is_left_to_sql(tmp_path, database, name, cell):
    column = next(each for each in COLUMNS if each.name == name)
    file = bulk_file(tmp_path, [("",)] * 200 + [(cell,)] + [("",)] * 200, [column])
    found, is_parsed = read(database, file, [column])
    assert found == by_sql(database, file, [column])
    assert not is_parsed


@pytest.mark.parametrize(
    "content",
    [
        b'"Text","Id"\n"a","b",""\n',
        b'"Text","Id"\n"a"\n',
        b'"Text","Id"\n"a",b\n',
        b'"Text","Id"\r\n"a","b"\r\n',
        b'"Text","Id"\n"a","b"',
        b'"Text","Id"\n"a","b',
        b'"Text","Id"\n"a"x,"b"\n',
        b"Text,Id\na,b\n",
        *(b'"Text","Id"\n"' + text + b'","b"\n' for text in (b"\xff", b"\xc3", b"\xed\xa0\x80")),
        *(b'"Text","Id"\n"' + text + b'","b"\n' for text in (b"\xc0\xaf", b"\xf4\x90\x80\x80")),
    ],
)
def test_another_form_is_left_to_sql(tmp_path, database, content):
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    query = f"FROM {arrow_rows._RELATION}"  # noqa: SLF001
    asked = []

    def use(text):
        asked.append(text)
        return database.connection.execute(text).fetchall()

    try:
        with_typed_query(database, file, COLUMNS[:2], use)
    except Exception:  # noqa: BLE001 - whatever the slow way says of it
        asked.append("")
    assert asked[0] == query
    assert len(asked) > 1


def test_a_record_of_megabytes_is_left_to_sql(tmp_path, database, monkeypatch):
    """The memory that it needs here is six times its size, in each thread of DuckDB."""
    made = []
    monkeypatch.setattr(
        arrow_rows, "bytearray", lambda size: made.append(size) or bytearray(size), raising=False
    )
    columns = COLUMNS[:2]
    for size, is_short in ((100_000, True), (6_000_000, False)):
        file = bulk_file(tmp_path, [("a", ""), ("b" * size, "")], columns)
        found, is_parsed = read(database, file, columns)
        assert is_parsed == is_short
        assert found[1][1][0] == "b" * size
    assert max(made) < 30_000_000


def test_two_columns_of_one_name_are_left_to_sql(tmp_path, database):
    columns = TypedColumn("Text", FieldKind.TEXT), TypedColumn("text", FieldKind.TEXT)
    file = bulk_file(tmp_path, [("a", "b")], columns)
    assert not read(database, file, columns)[1]


@pytest.mark.parametrize("number", ["12.25", "12.255", "1234567890123456789.5"])
def test_a_parquet_file_is_the_same_both_ways(tmp_path, database, number):
    known = QueryColumn("Text"), QueryColumn("Price", FieldKind.NUMBER, 18, 2)
    columns = TypedColumn("Text", FieldKind.TEXT), TypedColumn("Price", FieldKind.NUMBER, 18, 2)
    rows = bulk_file(tmp_path, [("Größe", "1.5")] * 50 + [("", number)], columns)
    files = tmp_path / "parsed.parquet", tmp_path / "sql.parquet"
    write_file(rows, files[0], FileShape(FileFormat.PARQUET), known)
    with pytest.MonkeyPatch.context() as patch:
        compile_never(patch)
        write_file(rows, files[1], FileShape(FileFormat.PARQUET), known)
    run = database.connection.execute
    types, values = zip(
        *((run(f"DESCRIBE FROM '{f}'").fetchall(), run(f"FROM '{f}'").fetchall()) for f in files),
        strict=True,
    )
    assert types[0] == types[1]
    assert values[0] == values[1]
    assert values[0][-1] == (None, Decimal(number))


def test_ctrl_c_while_rows_are_parsed_is_no_error_of_the_engine(tmp_path, database, monkeypatch):
    def interrupt(_free, _size):
        raise KeyboardInterrupt

    monkeypatch.setattr(arrow_rows, "_memory", interrupt)
    file = bulk_file(tmp_path, [("a",)], COLUMNS[:1])
    with pytest.raises(KeyboardInterrupt):
        read(database, file, COLUMNS[:1])
    assert database.connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_signal_while_rows_are_parsed_ends_the_run(tmp_path, database, monkeypatch):
    def interrupt(_free, _size):
        AbortedError.of_signal = ExitCode.INTERRUPTED
        raise AbortedError(ExitCode.INTERRUPTED)

    monkeypatch.setattr(AbortedError, "of_signal", None)
    monkeypatch.setattr(arrow_rows, "_memory", interrupt)
    file = bulk_file(tmp_path, [("a",)], COLUMNS[:1])
    with pytest.raises(AbortedError):
        read(database, file, COLUMNS[:1])


@pytest.mark.parametrize("call", [1, 2, 5])
@pytest.mark.parametrize("is_lost", [False, True])
def test_rows_after_an_error_in_a_callback_are_not_lost(
    tmp_path, database, monkeypatch, call, is_lost
):
    file = bulk_file(tmp_path, [(f"{number}",) for number in range(500)], COLUMNS[:1])
    expected = by_sql(database, file, COLUMNS[:1])
    calls = count(1)

    def pointers(*given):
        if next(calls) == call:
            raise MemoryError
        return make(*given)

    def ended(self, write, to):
        return 0 if write == self._write_next and next(calls) == call else end(self, write, to)

    if is_lost:  # as ctypes does with a signal while it makes a callback's arguments
        end = arrow._RowStream._ended  # noqa: SLF001
        monkeypatch.setattr(arrow._RowStream, "_ended", ended)  # noqa: SLF001
    else:
        make = arrow._pointers  # noqa: SLF001
        monkeypatch.setattr(arrow, "_pointers", pointers)
    found, is_parsed = read(database, file, COLUMNS[:1])
    assert found == expected
    assert not is_parsed


def test_a_number_of_hundreds_of_digits_is_text_both_ways(tmp_path, database):
    columns = TypedColumn("Sum", FieldKind.NUMBER, 301), COLUMNS[0]
    file = bulk_file(tmp_path, [("1E300", "a"), ("", "b")], columns)
    found, is_parsed = read(database, file, columns)
    assert found == by_sql(database, file, columns)
    assert is_parsed


def test_memory_is_used_again(tmp_path, database, monkeypatch):
    made = []
    monkeypatch.setattr(
        arrow_rows, "bytearray", lambda size: made.append(size) or bytearray(size), raising=False
    )
    file = bulk_file(tmp_path, [(f"{number}",) for number in range(5_000)], COLUMNS[:1])
    (_, values), is_parsed = read(database, file, COLUMNS[:1])
    assert is_parsed
    assert values == [(f"{number}",) for number in range(5_000)]
    assert len(made) < 10
