import json

import pytest

from runner.errors import StateError
from runner.job.endpoints import FileFormat, FileShape, FileTarget
from runner.tables.field_types import FieldKind
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn, RestWriter

COLUMNS = (
    QueryColumn("Id", FieldKind.ID),
    QueryColumn("Account.Name", FieldKind.TEXT),
    QueryColumn("Amount", FieldKind.NUMBER),
    QueryColumn("CreatedDate", FieldKind.DATETIME),
    QueryColumn("IsClosed", FieldKind.BOOLEAN),
)
RECORDS = (
    {
        "attributes": {"type": "Opportunity"},
        "Id": "006A",
        "Account": {"attributes": {"type": "Account"}, "Name": 'Ä "x", y\nz\u2028'},
        "Amount": "100.0",
        "CreatedDate": "2026-01-31T08:00:00.000+0000",
        "IsClosed": False,
    },
    {"Id": "006B", "Account": None, "Amount": None, "CreatedDate": None, "IsClosed": True},
)
IN_BULKS_FORM = (
    '"Id","Account.Name","Amount","CreatedDate","IsClosed"\n'
    '"006A","Ä ""x"", y\nz\u2028","100.0","2026-01-31T08:00:00.000Z","false"\n'
    '"006B","","","","true"\n'
)


@pytest.fixture
def rows(tmp_path):
    file = tmp_path / "records.csv"
    with RestWriter(file, COLUMNS) as writer:
        writer.write(RECORDS[:1])
        writer.write(RECORDS[1:])
    return file


def target(path, form=FileFormat.CSV, **shape):
    return FileTarget(path, FileShape(form, **shape))


def test_rest_records_are_written_as_bulk_would(rows):
    assert rows.read_bytes().decode() == IN_BULKS_FORM


def test_a_broken_off_query_leaves_no_file(tmp_path):
    def broken_off():
        yield RECORDS[0]
        raise ConnectionError

    writer = RestWriter(tmp_path / "records.csv", COLUMNS)
    with pytest.raises(ConnectionError), writer:
        writer.write(broken_off())
    assert list(tmp_path.iterdir()) == []


def test_columns_that_only_the_records_tell_come_from_the_first(tmp_path):
    with RestWriter(tmp_path / "records.csv", (), is_open=True) as writer:
        writer.write([{"attributes": {}, "Id": "1", "Address": {"city": "Ulm"}, "n": 5}])
    assert (tmp_path / "records.csv").read_text() == (
        '"Id","Address","n"\n"1","{""city"":""Ulm""}","5"\n'
    )


@pytest.mark.parametrize("keep", [True, False])
def test_a_plain_target_has_the_rows_as_they_are(rows, tmp_path, keep):
    to = tmp_path / "out" / "found.csv"
    deliver(rows, target(to), COLUMNS, keep_rows=keep)
    assert to.read_bytes().decode() == IN_BULKS_FORM
    assert rows.exists() is keep


def test_delimiter_and_encoding_are_as_declared(rows, tmp_path):
    to = tmp_path / "found.csv"
    deliver(rows, target(to, delimiter=";", encoding="utf-16"), COLUMNS, keep_rows=True)
    assert to.read_bytes().decode("utf-16").splitlines()[0] == (
        '"Id";"Account.Name";"Amount";"CreatedDate";"IsClosed"'
    )


def test_a_single_column_without_a_value_is_a_row_all_the_same(tmp_path):
    rows = tmp_path / "records.csv"
    rows.write_text('"Phone"\n""\n"1"\n')
    columns = (QueryColumn("Phone", FieldKind.TEXT),)
    deliver(rows, target(tmp_path / "a.csv", delimiter=";"), columns, keep_rows=True)
    assert (tmp_path / "a.csv").read_text() == '"Phone"\n""\n"1"\n'
    deliver(rows, target(tmp_path / "a.jsonl", FileFormat.JSONL), columns, keep_rows=True)
    assert (tmp_path / "a.jsonl").read_text().count("\n") == 2


def test_a_character_that_the_encoding_lacks_is_reported(rows, tmp_path):
    with pytest.raises(StateError, match="latin-1 has no character for"):
        deliver(rows, target(tmp_path / "x.csv", encoding="latin-1"), COLUMNS, keep_rows=True)
    assert not (tmp_path / "x.csv").exists()


def test_json_lines_have_types_and_keep_digits(tmp_path):
    rows = tmp_path / "records.csv"
    rows.write_text(
        '"Id","Account.Name","Amount","CreatedDate","IsClosed"\n'
        '"006A","5","123456789012345678.10","2026-01-31T08:00:00.000Z","false"\n'
        '"006B","","","","true"\n'
    )
    to = tmp_path / "found.jsonl"
    deliver(rows, target(to, FileFormat.JSONL), COLUMNS, keep_rows=False)
    first, second = to.read_text().splitlines()
    assert json.loads(first, parse_float=str) == {
        "Id": "006A",
        "Account.Name": "5",
        "Amount": "123456789012345678.10",
        "CreatedDate": "2026-01-31T08:00:00.000Z",
        "IsClosed": False,
    }
    assert json.loads(second)["IsClosed"] is True
    assert json.loads(second)["Amount"] is None
    assert json.loads(second)["Account.Name"] is None


def test_json_lines_carry_any_text(rows, tmp_path):
    to = tmp_path / "found.jsonl"
    deliver(rows, target(to, FileFormat.JSONL), COLUMNS, keep_rows=False)
    (first, _) = to.read_bytes().decode().split("\n")[:2]
    assert json.loads(first)["Account.Name"] == 'Ä "x", y\nz\u2028'
