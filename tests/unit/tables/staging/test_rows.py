import csv
import errno
import hashlib
import os

import pytest
from msgspec.structs import replace

from runner.errors import SourceError, StorageError
from runner.job.choices import Blank
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources import chunks
from runner.tables.sources.csv import RowsSource
from runner.tables.staging import chunk_mapping
from runner.tables.staging.chunk_mapping import ChunkMapper
from runner.tables.staging.rewrite import rewrite_chunks
from runner.tables.staging.rows import StagedRows


def test_records_carry_the_types_of_json(stage):
    staging = stage(
        b"k,n,i,d,b,big\nx,1.50,7,2026-01-31,yes,123456789012345678.12\n",
        [
            MappedColumn("Key__c", "k"),
            MappedColumn("Amount", "n", FieldKind.NUMBER),
            MappedColumn("Count__c", "i", FieldKind.INTEGER),
            MappedColumn("CloseDate", "d", FieldKind.DATE),
            MappedColumn("Active__c", "b", FieldKind.BOOLEAN),
            MappedColumn("Big__c", "big", FieldKind.NUMBER),
        ],
    )
    expected = {
        "Key__c": "x",
        "Amount": 1.5,
        "Count__c": 7,
        "CloseDate": "2026-01-31",
        "Active__c": True,
        "Big__c": "123456789012345678.12",  # more digits than a double holds
    }
    assert next(staging.batches(200)) == [(1, expected)]


@pytest.mark.parametrize(
    ("blank", "expected"), [(Blank.KEEP, {"b": "2"}), (Blank.CLEAR, {"a": None, "b": "2"})]
)
def test_a_blank_is_left_out_or_cleared(stage, rows_of, blank, expected):
    assert rows_of(stage(b"a,b\n,2\n", blank=blank)) == [expected]


def test_an_explicit_null_clears_whatever_blank_says(stage, rows_of):
    assert rows_of(stage(b"a,b\n#N/A,2\n")) == [{"a": None, "b": "2"}]


def test_rows_that_do_not_fit_are_rejected_and_the_rest_goes_on(stage, failed_rows):
    staging = stage(
        b"k,n,d\nx,1,2026-01-31\n,2,\ny,lots,31.1.26\nz,4,\n",
        [
            MappedColumn("Key__c", "k", required=True),
            MappedColumn("Amount", "n", FieldKind.NUMBER),
            MappedColumn("CloseDate", "d", FieldKind.DATE),
        ],
    )
    assert [row for row, _ in next(staging.batches(200))] == [1, 4]
    assert (staging.rows_total, staging.rejected_total) == (4, 2)
    blank_key, misfit = failed_rows(staging)
    assert (blank_key["sf__Row"], blank_key["sf__Code"]) == ("2", "KEY_IS_BLANK")
    assert blank_key["sf__Fields"] == "Key__c"
    assert (misfit["sf__Row"], misfit["sf__Code"]) == ("3", "VALUE_DOES_NOT_FIT")
    assert misfit["sf__Fields"] == "Amount CloseDate"
    assert "Amount (`n`): 'lots' is not a number such as 1234.56" in misfit["sf__Message"]
    assert "CloseDate (`d`): '31.1.26' is not a date such as 2026-01-31" in misfit["sf__Message"]


def test_an_expression_that_fails_for_a_row_rejects_that_row(stage, failed_rows):
    staging = stage(b"a\n1\nx\n", [MappedColumn("N__c", "CAST(a AS INTEGER) + 1")])
    assert next(staging.batches(200)) == [(1, {"N__c": "2"})]
    (rejected,) = failed_rows(staging)
    assert (rejected["sf__Row"], rejected["sf__Code"]) == ("2", "EXPRESSION_FAILED")
    assert "CAST(a AS INTEGER) + 1" in rejected["sf__Message"]


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("CASE WHEN a = '2' THEN error('no ' || a) ELSE a END", "no 2"),
        ("timezone(a, now())", "Unknown TimeZone"),
    ],
)
def test_an_expression_that_fails_for_the_whole_source_is_named(stage, expression, why):
    with pytest.raises(SourceError, match=f"`Zone__c`: the expression fails for a row: .*{why}"):
        stage(b"a\n1\n2\n", [MappedColumn("Zone__c", expression), MappedColumn("Name", "a")])


def test_an_expression_that_gives_another_value_each_time_is_computed_once(stage):
    staging = stage(b"a\n1\n2\n", [MappedColumn("Key__c", "uuid()")])
    assert next(staging.batches(200)) == next(staging.batches(200))


@pytest.mark.parametrize("between", ["chr(13)", "'\r'", "replace('-', '-', '\r\n')"])
def test_line_ends_of_an_expression_are_sent_as_lf(stage, rows_of, between):
    staging = stage(b"a,b\nx,y\n", [MappedColumn("Name", f"a || {between} || b")])
    assert rows_of(staging) == [{"Name": "x\ny"}]


def test_an_unknown_column_is_told_with_the_nearest(stage):
    with pytest.raises(SourceError, match="no column 'compny'") as raised:
        stage(b"company\nx\n", [MappedColumn("Name", "trim(compny)")])
    assert "did you mean `company`?" in (raised.value.hint or "")


def test_a_key_that_the_header_lacks_is_told(stage):
    with pytest.raises(SourceError, match="ERP_Id__c: the source has no column 'ERP_Id__c'"):
        stage(b"a\nx\n", [MappedColumn("ERP_Id__c", None)])


def test_types_that_do_not_go_together_are_told_with_the_field(stage):
    with pytest.raises(SourceError, match=r"`fields`: Sum__c: .*type"):
        stage(b"a,b\n1,2\n", [MappedColumn("Sum__c", "a + b")])


@pytest.mark.parametrize("content", [b"a\nx\n", b"a,b\nx,y\n"])
def test_an_unknown_time_zone_is_told_before_a_row_is_sent(stage, content):
    with pytest.raises(SourceError, match="no time zone 'Mars/Olympus'"):
        stage(content, timezone="Mars/Olympus")


def test_rows_keep_their_numbers_over_chunks_also_with_long_in_lists(stage, monkeypatch):
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 1_000)
    monkeypatch.setattr("runner.tables.sources.chunks.cut_chunks.__defaults__", (3_000,))
    body = "".join(f'{n},"line\nof {n}"\n' for n in range(1, 2_001))
    among = "CASE WHEN n IN ('1', '2', '3', '4', '5', '6', '7') THEN 'few' ELSE n END"
    staging = stage(
        b"n,t\n" + body.encode(), [MappedColumn("N__c", among), MappedColumn("t", None)]
    )
    assert len(staging.chunks) > 3
    batches = list(staging.batches(200, after_row=5))
    assert [len(batch) for batch in batches] == [200] * 9 + [195]
    sent = [row for batch in batches for row in batch]
    assert sent[0] == (6, {"N__c": "few", "t": "line\nof 6"})
    assert all(record["t"] == f"line\nof {row}" for row, record in sent)


def test_a_chunk_of_rejected_rows_only_is_passed_over(stage, monkeypatch):
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 100)
    monkeypatch.setattr("runner.tables.sources.chunks.cut_chunks.__defaults__", (200,))
    body = "1\n" * 100 + "lots\n" * 200 + "2\n" * 100
    staging = stage(b"n\n" + body.encode(), [MappedColumn("n", None, FieldKind.NUMBER)])
    assert any(chunk.rejected == chunk.rows for chunk in staging.chunks)
    assert [row for row, _ in next(staging.batches(500))] == [*range(1, 101), *range(301, 401)]


def test_a_row_that_fails_says_why_whatever_other_threads_find(stage, failed_rows, monkeypatch):
    make = ChunkMapper._make

    def made(mapper, cursor, chunk, goal, *more):
        found = make(mapper, cursor, chunk, goal, *more)
        mapper._explains = True  # noqa: SLF001 - as a thread with another chunk may
        return found

    monkeypatch.setattr(ChunkMapper, "_make", made)
    staging = stage(b"n\nlots\n", [MappedColumn("n", None, FieldKind.NUMBER)])
    assert [row["sf__Code"] for row in failed_rows(staging)] == ["VALUE_DOES_NOT_FIT"]


def test_a_stray_quote_where_chunks_are_cut_does_no_harm(stage, rows_of, monkeypatch):
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 100)
    monkeypatch.setattr("runner.tables.sources.chunks.cut_chunks.__defaults__", (200,))
    body = 'size,note\n5" pipe,x\n' + '"a\nb","c\nd"\n' * 90
    expected = [{"size": '5" pipe', "note": "x"}] + [{"size": "a\nb", "note": "c\nd"}] * 90
    assert rows_of(stage(body.encode())) == expected


def test_columns_of_another_tasks_result_can_be_used_in_expressions(tmp_path):
    rows = tmp_path / "succeeded.csv"
    rows.write_text("Name,sf__Row,sf__Id\nx,1,001000000000001AAA\n")
    staging = StagedRows(tmp_path / "staging")
    staging.load(RowsSource(rows))
    assert staging.columns == ("Name",)
    staging.map([MappedColumn("Id", "sf__Id", FieldKind.ID)])
    assert next(staging.batches(200)) == [(1, {"Id": "001000000000001AAA"})]
    staging.discard()


def test_discard_leaves_nothing(tmp_path, stage):
    staging = stage(b"a\n1\n")
    assert staging.folder.exists()
    staging.discard()
    assert not staging.folder.exists()


def test_the_source_is_known_by_its_digest(stage):
    assert stage(b"a\n1\n").source_sha256 == hashlib.sha256(b"a\n1\n").hexdigest()


def test_a_local_time_that_clocks_skip_fails_its_row_with_the_reason(stage):
    columns = [MappedColumn("At__c", "moment", FieldKind.DATETIME)]
    for content, shape in (
        (b"moment\n2026-03-29 02:30:00\n2026-03-29 03:30:00\n", {}),
        (b"moment\n29.03.2026 02:30\n29.03.2026 03:30\n", {"datetimes": "%d.%m.%Y %H:%M"}),
    ):
        staging = stage(content, columns, shape=shape, timezone="Europe/Berlin")
        (chunk,) = staging.chunks
        query = f"SELECT problem FROM {chunk.rejected_rows()}"
        ((problem,),) = staging.database.connection.execute(query).fetchall()
        value = content.splitlines()[1].decode()
        assert problem.split("\x1f")[-1] == (
            f"At__c (`moment`): '{value}' does not exist in Europe/Berlin: clocks skip it;"
            " write the offset, such as +02:00"
        )
        assert next(staging.batches(9)) == [(2, {"At__c": "2026-03-29T01:30:00.000Z"})]


@pytest.mark.parametrize(
    "expression",
    [
        "array_to_string(list_transform(string_split(x, ','), lambda t: trim(t)), ';')",
        "array_to_string(list_transform(string_split(x, ','), lambda X: trim(x)), ';')",
        "array_to_string([trim(t) for t in string_split(x, ',')], ';')",
        "array_to_string([trim(t) for t in string_split(x, ',') if t <> 'z'], ';')",
        "array_to_string(list_filter(['a', 'b', 'c', x], lambda t, i: i < 4), ';')",
    ],
)
def test_lists_become_multi_select_picklists(stage, rows_of, expression):
    staging = stage(b'x\n"a, b,c"\n', [MappedColumn("F__c", expression)])
    assert rows_of(staging) == [{"F__c": "a;b;c"}]


def test_a_column_missing_in_a_lambda_is_named_not_its_parameter(stage):
    expression = "array_to_string(list_transform([x], lambda t: t || u), ';')"
    with pytest.raises(SourceError, match="no column 'u'"):
        stage(b"x\n1\n", [MappedColumn("F__c", expression)])


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("Retail", "Fixed text is in single quotes: F__c: \"'Retail'\". It has: Kunden-Nr, Name."),
        ("nam", "Fixed text is in single quotes: F__c: \"'nam'\". did you mean `Name`? It has:"),
        ("Kunden-Nr", "Put the column's name in double quotes: F__c: '\"Kunden-Nr\"'. It has:"),
    ],
)
def test_what_was_meant_by_an_unknown_column(stage, expression, hint):
    with pytest.raises(SourceError) as caught:
        stage(b"Kunden-Nr,Name\n1,x\n", [MappedColumn("F__c", expression)])
    assert caught.value.hint.startswith(hint)


def test_a_text_longer_than_its_field_fails_its_row_or_is_cut(stage, rows_of, failed_rows):
    columns = [MappedColumn("Name", None, max_length=5), MappedColumn("City", None, max_length=3)]
    content = "Name,City\nabcde,x\n abcde ,x\nabcdef,x\näöüßé,x\na,wxyz\n".encode()
    staging = stage(content, columns)
    assert [each["Name"] for each in rows_of(staging)] == ["abcde", " abcde ", "äöüßé"]
    assert [
        (row["sf__Row"], row["sf__Code"], row["sf__Message"]) for row in failed_rows(staging)
    ] == [
        ("3", "STRING_TOO_LONG", "Name: data value too large: abcdef (max length=5)"),
        ("5", "STRING_TOO_LONG", "City: data value too large: wxyz (max length=3)"),
    ]
    staging = stage(content, [replace(each, is_cut=True) for each in columns])
    assert [tuple(each.values()) for each in rows_of(staging)] == [
        ("abcde", "x"),
        (" abcde ", "x"),
        ("abcde", "x"),
        ("äöüßé", "x"),
        ("a", "wxy"),
    ]
    assert staging.truncated_total == 2


def test_what_bulk_could_not_take_fails_its_row_alone(stage, rows_of, failed_rows):
    columns = [MappedColumn(name, None) for name in "ABCD"]
    long, longer = "x" * 131_072, "x" * 131_073
    lines = [f"{long},{long},{long},a", f"{longer},,,b", f"{long},{long},{long},{long}", ",,,c"]
    staging = stage("\n".join(["A,B,C,D", *lines]).encode(), columns)
    assert [each["D"] for each in rows_of(staging)] == ["a", "c"]
    failed = failed_rows(staging)
    assert [(row["sf__Row"], row["sf__Code"]) for row in failed] == [
        ("2", "STRING_TOO_LONG"),
        ("3", "ROW_TOO_LONG"),
    ]
    assert "the row has 524,288 characters" in failed[1]["sf__Message"]
    file = [MappedColumn("A", None, max_length=None)]
    assert len(rows_of(stage(f"A\n{longer * 4}\n".encode(), file))) == 1


def test_rows_that_change_nothing_are_sent_from_the_file_they_were_read_into(stage):
    columns = [MappedColumn("Key__c", "k", required=True), MappedColumn("Name", "n")]
    as_read = stage(b'k,n\n1,a\n2,"b,\nc"\n', columns)
    assert [chunk.sent_file.samefile(chunk.read_file) for chunk in as_read.chunks] == [True]
    rewrite_chunks(as_read, {"c1": "'x'"})
    (chunk,) = as_read.chunks
    assert chunk.sent_file.read_bytes() == b"1,x\n2,x\n"
    assert chunk.read_file.read_bytes() == b'1,a\n2,"b,\nc"\n'


@pytest.mark.parametrize(
    "content",
    [
        b"k,n\n1,#a\n",  # DuckDB writes it in quotes
        b"k,n\n1,a,\n",
        b'k,n\n1,"a"\n',
        b"k,n\n1,a\n\n2,b\n",
        b"k,n\n1, \n",
        b"n,k\na,1\n",
        b"k,n,more\n1,a,b\n",
    ],
)
def test_other_rows_are_written_once_more(stage, content):
    columns = [MappedColumn("Key__c", "k", required=True), MappedColumn("Name", "n")]
    (chunk,) = stage(content, columns).chunks
    assert not chunk.sent_file.samefile(chunk.read_file)
    with chunk.sent_file.open(encoding="utf-8", newline="") as sent:
        assert next(csv.reader(sent)) in (["1", "a"], ["1", "#a"], ["1", ""])


def test_a_chunk_whose_values_change_is_staged_once(stage, rows_of, monkeypatch):
    made = 0
    original = ChunkMapper._make

    def make(mapper, *more):
        nonlocal made
        made += 1
        return original(mapper, *more)

    monkeypatch.setattr(ChunkMapper, "_make", make)
    monkeypatch.setattr(chunk_mapping, "_SAMPLED_FROM", 0)
    columns = [
        MappedColumn("Key__c", "k", required=True),
        MappedColumn("Ok__c", "b", FieldKind.BOOLEAN),
        MappedColumn("Name", "left(upper(k), 1)"),
    ]
    expected = {"Key__c": "x", "Ok__c": True, "Name": "X"}
    assert rows_of(stage(b"k,b\nx,yes\n", columns)) == [expected]
    assert made == 1


def test_what_one_chunk_passes_on_does_not_change_what_others_send(stage, rows_of, monkeypatch):
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 100)
    monkeypatch.setattr("runner.tables.sources.chunks.cut_chunks.__defaults__", (200,))
    words = ["true"] * 40 + ["yes"] * 40 + ["true"] * 40 + ["maybe"] + ["false"] * 40
    lines = [f"{n},{word},{n}.50" for n, word in enumerate(words, start=1)]
    lines[5] = "6,true,"
    lines[90] = "91,true,+9"
    columns = [
        MappedColumn("Key__c", "k", required=True, tells_case=True),
        MappedColumn("Ok__c", "b", FieldKind.BOOLEAN),
        MappedColumn("Sum__c", "n", FieldKind.NUMBER),
        MappedColumn("Name", "'no. ' || k"),
    ]
    for mapped in (columns, columns[:3]):
        staging = stage("\n".join(["k,b,n", *lines, ""]).encode(), mapped)
        assert len(staging.chunks) > 5
        expected = [
            {"Key__c": str(n), "Ok__c": word in {"true", "yes"}, "Sum__c": n + 0.5}
            for n, word in enumerate(words, start=1)
            if word != "maybe"
        ]
        del expected[5]["Sum__c"]
        expected[90]["Sum__c"] = 9
        if len(mapped) == len(columns):
            expected = [each | {"Name": f"no. {each['Key__c']}"} for each in expected]
        assert rows_of(staging) == expected
        assert staging.rejected_total == 1


def test_rows_that_cannot_be_synced_are_not_kept(tmp_path, monkeypatch):
    """The system says it once, to the thread that maps the rows: nobody else would learn of it."""

    def fail(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "in.csv").write_text("a\nx\n")
    staging = StagedRows(tmp_path / "staging", is_kept=True)
    staging.load(FileSource(tmp_path / "in.csv", FileShape(FileFormat.CSV)))
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=r"chunk-0.*Input/output error"):
        staging.map([MappedColumn("a", "concat(a, '1')")])
    staging.discard()
