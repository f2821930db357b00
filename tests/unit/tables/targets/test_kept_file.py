"""A file that keeps its rows: the query's are added or merged, or it stays as it was."""

import gzip
import json

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from runner.errors import RunnerError, StateError
from runner.job.endpoints import (
    Compression,
    Deletes,
    FileFormat,
    FileShape,
    FileTarget,
    Keeping,
    SchemaChanges,
    TableMode,
)
from runner.tables.field_types import FieldKind
from runner.tables.targets import deliver as delivery
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn
from tests.short_form import sampled

KINDS = {
    "Id": QueryColumn("Id", FieldKind.ID),
    "Name": QueryColumn("Name", FieldKind.TEXT),
    "Amount": QueryColumn("Amount", FieldKind.NUMBER, 4, 2),
    "N": QueryColumn("N", FieldKind.INTEGER),
    "IsDeleted": QueryColumn("IsDeleted", FieldKind.BOOLEAN),
    "At": QueryColumn("At", FieldKind.DATETIME),
    "Address": QueryColumn("Address", FieldKind.JSON),
}
FORMATS = (FileFormat.CSV, FileFormat.JSONL, FileFormat.PARQUET)
formats = pytest.mark.parametrize("form", FORMATS)


@pytest.fixture
def put(tmp_path):
    """Write rows of a query, given as lists below a header, to a file that keeps its rows."""

    def write(form, header, *rows, mode=TableMode.MERGE, kinds=(), shape=None, **keeping):
        names = header.split(",")
        lines = [",".join('"' + each.replace('"', '""') + '"' for each in row) for row in rows]
        file = tmp_path / "records.csv"
        head = ",".join(f'"{each}"' for each in names)
        file.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
        known = {**KINDS, **dict(kinds)}
        to = tmp_path / f"out.{form}"
        key = keeping.pop("key", "Id") if mode is TableMode.MERGE else None
        target = FileTarget(to, shape or FileShape(form), None, mode, Keeping(key, **keeping))
        columns = [known[each] for each in names]
        write.path = to
        return deliver(file, target, columns, keep_rows=True)

    return write


def rows_of(path):
    """The rows of a file as texts, by another reader than the runner's."""
    if path.suffix == ".jsonl":
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line, parse_float=str, parse_int=str) for line in lines]
        return [tuple(each.values()) for each in found]
    read = "read_parquet" if path.suffix == ".parquet" else "read_csv"
    options = ", all_varchar = true" if path.suffix == ".csv" else ""
    cells = "CAST(COLUMNS(*) AS VARCHAR)"
    found = duckdb.sql(f"SELECT {cells} FROM {read}('{path}'{options})").fetchall()
    return [tuple(each) for each in found]


@formats
def test_a_merge_updates_what_is_there_and_adds_what_is_new(put, form):
    assert put(form, "Id,Name", ("b", "1"), ("a", 'x "y",\nz'), ("c", "")) == ("3 new, 0 updated",)
    assert put(form, "Id,Name", ("d", "4"), ("b", "2")) == ("1 new, 1 updated",)
    assert rows_of(put.path) == [("b", "2"), ("a", 'x "y",\nz'), ("c", None), ("d", "4")]


@formats
def test_an_append_adds_rows_whatever_they_are(put, form):
    for _ in range(2):
        put(form, "Id,Name", ("a", "1"), mode=TableMode.APPEND)
    assert rows_of(put.path) == [("a", "1")] * 2


@formats
def test_rows_of_deleted_records_are_removed_or_flagged(put, form):
    header = "Id,Name,IsDeleted"
    rows = [("a", "1", "false"), ("b", "2", "false"), ("c", "3", "false")]
    put(form, header, *rows, deletes=Deletes.REMOVE)
    gone = [("c", "", "true"), ("z", "", "true")]
    notes = put(form, header, *gone, deletes=Deletes.REMOVE)
    assert notes == ("0 new, 0 updated, 1 removed",)
    put(form, header, ("b", "", "true"), ("a", "", "false"), deletes=Deletes.FLAG)
    found = [(each[0], each[1], str(each[2]).lower()) for each in rows_of(put.path)]
    assert found == [("a", None, "false"), ("b", "2", "true")]


@formats
def test_new_columns_are_added_and_others_left_alone(put, form):
    put(form, "Id,Name,N", ("a", "x", "7"), ("b", "y", ""))
    notes = put(form, "id,At", ("a", "2026-01-31T08:00:00.000Z"), ("c", ""),
                kinds={"id": QueryColumn("id", FieldKind.ID)}.items())  # fmt: skip
    assert notes == ("1 new, 1 updated", "new column At")
    found = rows_of(put.path)
    assert [each[:3] for each in found] == [("a", "x", "7"), ("b", "y", None), ("c", None, None)]
    assert [each[3] is None for each in found] == [False, True, True]
    frozen = put.path.read_bytes()
    with pytest.raises(StateError, match=r"has no column Amount, and `schema: freeze`"):
        put(form, "Id,Amount", ("a", "1"), schema=SchemaChanges.FREEZE)
    assert put.path.read_bytes() == frozen
    put(form, "Id,N", ("a", "8"), schema=SchemaChanges.FREEZE)
    assert next(each[:3] for each in rows_of(put.path)) == ("a", "x", "8")


def test_json_that_the_query_does_not_have_keeps_its_types(put):
    put(FileFormat.JSONL, "Id,N,IsDeleted,Address", ("a", "7", "true", '{"city":"Ulm"}'))
    put(FileFormat.JSONL, "Id", ("b",))
    assert [json.loads(line) for line in put.path.read_text().splitlines()] == [
        {"Id": "a", "N": 7, "IsDeleted": True, "Address": {"city": "Ulm"}},
        {"Id": "b", "N": None, "IsDeleted": None, "Address": None},
    ]
    put(FileFormat.JSONL, "Id,Address", ("b", '[1,"x"]'))
    assert '"Address":[1,"x"]' in put.path.read_text()
    assert '"Address":{"city":"Ulm"}' in put.path.read_text()


def test_numbers_of_parquet_become_wider_and_keep_every_digit(put):
    put(FileFormat.PARQUET, "Id,Amount,N", ("a", "12.34", "7"))
    notes = put(FileFormat.PARQUET, "Id,Amount", ("b", "123456.789"))
    assert notes == ("1 new, 0 updated", "wider column Amount")
    number = {"N": QueryColumn("N", FieldKind.NUMBER, 4, 2)}
    with pytest.raises(StateError, match="column N that is too narrow"):
        put(FileFormat.PARQUET, "Id,N", ("c", "1.5"), kinds=number.items(),
            schema=SchemaChanges.FREEZE)  # fmt: skip
    put(FileFormat.PARQUET, "Id,N", ("c", "1.5"), kinds=number.items())
    assert rows_of(put.path) == [
        ("a", "12.340", "7.00"), ("b", "123456.789", None), ("c", None, "1.50"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (FieldKind.NUMBER, FieldKind.TEXT),
        (FieldKind.BOOLEAN, FieldKind.NUMBER),
        (FieldKind.DATE, FieldKind.DATETIME),
    ],
)
def test_a_type_that_no_longer_fits_names_the_column(put, first, then):
    put(FileFormat.PARQUET, "Id,X", ("a", ""), kinds=[("X", QueryColumn("X", first, 4, 2))])
    before = put.path.read_bytes()
    with pytest.raises(StateError, match=r"X is of type .*, which no longer fits"):
        put(
            FileFormat.PARQUET, "Id,X", ("b", ""), kinds={"X": QueryColumn("X", then, 4, 2)}.items()
        )
    assert put.path.read_bytes() == before


@formats
def test_blank_and_doubled_keys_are_errors_with_rows(put, form):
    put(form, "Id,Name", ("a", "1"))
    before = put.path.read_bytes()
    with pytest.raises(StateError, match="The query: row 2 has no Id"):
        put(form, "Id,Name", ("b", "1"), ("", "2"))
    with pytest.raises(StateError, match="The query: rows 1 and 3 both have the Id b"):
        put(form, "Id,Name", ("b", "1"), ("c", "1"), ("b", "2"))
    with pytest.raises(StateError, match="has no column N, which is the `key`"):
        put(form, "N", ("1",), key="N")
    with pytest.raises(StateError, match="the query has no column Id"):
        put(form, "Name", ("1",))
    assert put.path.read_bytes() == before
    put(form, "Id,Name", ("a", "2"), mode=TableMode.APPEND)
    with pytest.raises(StateError, match=r"out.*: rows 1 and 2 both have the Id a"):
        put(form, "Id,Name", ("b", "1"))


@pytest.mark.parametrize(
    ("form", "content", "said"),
    [
        (FileFormat.CSV, "Id,Name\na\n", "row 1 has 1 values, and the header 2"),
        (FileFormat.CSV, "Id,id\na,b\n", "two columns are called Id"),
        (FileFormat.CSV, 'Id\n"a', "line 2: unexpected end of data"),
        (FileFormat.JSONL, '{"Id":"a"}\n[1]\n', "line 2: Expected `object`"),
        (FileFormat.PARQUET, "PAR1", "cannot be read"),
        (FileFormat.CSV, b"Id\n\xff\n", "it is not utf-8"),
    ],
)
def test_a_file_of_something_else_is_left_alone(put, tmp_path, form, content, said):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / f"out.{form}").write_bytes(content)
    with pytest.raises(StateError, match=said):
        put(form, "Id", ("a",))
    assert put.path.read_bytes() == content
    assert {each.name for each in tmp_path.iterdir()} == {"records.csv", put.path.name}


def test_a_file_of_another_encoding_is_left_alone(put, tmp_path):
    (tmp_path / "out.csv").write_bytes(b"Id\na\n")
    shape = FileShape(FileFormat.CSV, encoding="utf-16")
    with pytest.raises(StateError, match="it is not utf-16"):
        put(FileFormat.CSV, "Id", ("a",), shape=shape)
    assert put.path.read_bytes() == b"Id\na\n"


@formats
def test_a_folder_in_the_place_of_the_file_is_reported(put, tmp_path, form):
    (tmp_path / f"out.{form}" / "inner").mkdir(parents=True)
    with pytest.raises(RunnerError, match=rf"out\.{form}"):
        put(form, "Id", ("a",))


def test_the_shape_of_a_file_is_that_of_its_target(put):
    shape = FileShape(
        FileFormat.CSV, ";", "utf-16", compression=Compression.GZIP, undeclared=frozenset({"x"})
    )
    for value in ("ä;b", "ü"):
        put(FileFormat.CSV, "Id,Name", ("a", value), ("ß" + value, ""), shape=shape)
    text = gzip.decompress(put.path.read_bytes()).decode("utf-16")
    assert text == '"Id";"Name"\n"a";"ü"\n"ßä;b";""\n"ßü";""\n'


@formats
def test_a_crash_leaves_the_old_file_or_the_new_one(put, form, monkeypatch):
    """At each step of a merge; a process that is killed does nothing else."""
    put(form, "Id,Name", ("a", "1"))
    before = rows_of(put.path)
    after = [("a", "2"), ("b", "1")]
    seen = []
    for step in ("join", "compare", "replace"):
        with monkeypatch.context() as patched:
            broken = _Broken()
            if step == "replace":
                patched.setattr("runner.files.replace", broken)
            elif step == "join":
                patched.setattr("runner.tables.targets.merging.joined_rows", broken)
            else:
                patched.setattr(delivery, "_version", broken)
            with pytest.raises(_Killed):
                put(form, "Id,Name", ("a", "2"), ("b", "1"))
        seen.append(rows_of(put.path))
    assert seen == [before] * 3
    put(form, "Id,Name", ("a", "2"), ("b", "1"))
    assert rows_of(put.path) == after


class _Killed(BaseException):
    pass


class _Broken:
    def __call__(self, *_args, **_options):
        raise _Killed


def test_a_file_that_changes_meanwhile_is_left_alone(put, monkeypatch):
    put(FileFormat.CSV, "Id,Name", ("a", "1"))
    versions = iter([(1,), (2,)])
    monkeypatch.setattr(delivery, "_version", lambda _file: next(versions))
    with pytest.raises(StateError, match="changed by another program"):
        put(FileFormat.CSV, "Id,Name", ("a", "2"))
    assert rows_of(put.path) == [("a", "1")]


batches = st.lists(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.text("xyz \n\"',é", max_size=3), st.booleans()),
        max_size=5,
    ),
    min_size=1,
    max_size=4,
)


@sampled(4, deadline=None, suppress_health_check=[*HealthCheck])
@given(batches=batches, form=st.sampled_from(FORMATS))
def test_merged_batches_are_the_last_row_of_each_key(put, batches, form):
    put(form, "Id,Name,IsDeleted", mode=TableMode.REPLACE)
    expected = {}
    for batch in batches:
        rows = [(key, name, str(gone).lower()) for key, (name, gone) in batch.items()]
        put(form, "Id,Name,IsDeleted", *rows, deletes=Deletes.REMOVE)
        for key, (name, gone) in batch.items():
            expected.pop(key, None) if gone else expected.update({key: name or None})
    assert {each[0]: each[1] for each in rows_of(put.path)} == expected
