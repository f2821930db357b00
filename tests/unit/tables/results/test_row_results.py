import csv

import pytest
from msgspec.structs import replace

from runner.errors import StateError, UnexpectedAnswerError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Verb
from runner.outcome import Counts, RowResult, RowStatus
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.results.row_results import RowResults
from runner.tables.sources.open import read_columns
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.snapshot import read_snapshot, save_snapshot, staged_files
from tests.unit.tables.results.parts import read, take_in

KEYED = [
    MappedColumn("Key__c", "k", required=True),
    MappedColumn("AnnualRevenue", "n", FieldKind.NUMBER),
]
THREE = b"k,n\na,912260031\nb,2\nc,3\n"


def test_rest_results_are_written_beside_the_sources_own_columns(stage, tmp_path):
    staging = stage(
        b'name,amount\n"Acme, Inc.",1\nBad,2\nWrong,x\nLast,4\n',
        [MappedColumn("Name", "name"), MappedColumn("Amount", "amount", FieldKind.NUMBER)],
    )
    results = RowResults(staging)
    results.add(
        [
            RowResult(1, RowStatus.SUCCEEDED, id="001A", created=True),
            RowResult(
                2, RowStatus.FAILED, code="BAD", message='no "b", sir\nno', fields=("F", "G")
            ),
        ]
    )
    results.write_files(tmp_path)
    assert read(tmp_path / "succeeded.csv") == [
        {
            "name": "Acme, Inc.",
            "amount": "1",
            "sf__Row": "1",
            "sf__Id": "001A",
            "sf__Created": "true",
        }
    ]
    by_org, by_us = read(tmp_path / "failed.csv")
    assert by_org == {
        "name": "Bad",
        "amount": "2",
        "sf__Row": "2",
        "sf__Id": "",
        "sf__Code": "BAD",
        "sf__Message": 'no "b", sir\nno',
        "sf__Fields": "F G",
    }
    assert (by_us["sf__Row"], by_us["sf__Code"], by_us["sf__Fields"]) == (
        "3",
        "VALUE_DOES_NOT_FIT",
        "Amount",
    )
    assert by_us["sf__Message"] == "Amount: 'x' is not a number such as 1234.56"
    assert read(tmp_path / "unprocessed.csv") == [{"name": "Last", "amount": "4", "sf__Row": "4"}]
    assert not (tmp_path / "in_doubt.csv").exists()
    assert results.counts() == Counts(read=4, created=1, failed=2, unprocessed=1)
    assert results.top_errors() == (
        ("BAD", 'no "b", sir\nno', 1, 2),
        ("VALUE_DOES_NOT_FIT", "Amount: 'x' is not a number such as 1234.56", 1, 3),
    )


@pytest.mark.parametrize(("form", "ending"), [(FileFormat.CSV, "csv"), (FileFormat.JSONL, "jsonl")])
def test_rows_of_many_files_are_told_by_file_and_number_there(stage, tmp_path, form, ending):
    lines = {"a": ["1", "2"], "b": [], "c": ["3", "x", "5"]}
    for name, cells in lines.items():
        rows = [f'{{"n": "{cell}"}}' if ending == "jsonl" else cell for cell in cells]
        header = [] if ending == "jsonl" else ["n"]
        (tmp_path / f"in-{name}.{ending}").write_text("\n".join([*header, *rows, ""]))
    staging = StagedRows(tmp_path / "staging")
    stage.opened.append(staging)
    staging.load(FileSource(tmp_path / f"in-*.{ending}", FileShape(form)))
    staging.map([MappedColumn("N__c", "n", FieldKind.NUMBER)])
    results = RowResults(staging)
    results.add([RowResult(2, RowStatus.SUCCEEDED, id="001A"), RowResult(3, RowStatus.FAILED)])
    results.write_files(tmp_path / "results")

    def told(status):
        rows = read(tmp_path / "results" / f"{status}.csv")
        return [(row["n"], row["sf__Row"], row["sf__File"], row["sf__FileRow"]) for row in rows]

    assert told("succeeded") == [("2", "2", f"in-a.{ending}", "2")]
    assert told("failed") == [("3", "3", f"in-c.{ending}", "1"), ("x", "4", f"in-c.{ending}", "2")]
    assert told("unprocessed") == [
        ("1", "1", f"in-a.{ending}", "1"),
        ("5", "5", f"in-c.{ending}", "3"),
    ]
    save_snapshot(staging, tmp_path / "kept", staged_files(staging))
    assert read_snapshot(tmp_path / "kept").files == staging.files


@pytest.mark.parametrize("expression", [None, "upper(a)"])
def test_files_may_have_their_columns_in_other_orders(stage, tmp_path, expression):
    (tmp_path / "in-1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "in-2.csv").write_text("b,a\ny,2\n")
    staging = stage.staging(FileSource(tmp_path / "in-*.csv", FileShape(FileFormat.CSV)))
    staging.map([MappedColumn("a", expression), MappedColumn("b", None)])
    (part,) = staging.parts(tmp_path / "parts")
    assert b"".join(part.content.pieces()) == b"a,b\n1,x\n2,y\n"
    results = RowResults(staging)
    results.add([RowResult(row, RowStatus.SUCCEEDED, f"00{row}", created=True) for row in (1, 2)])
    results.write_files(tmp_path / "results")
    lines = (tmp_path / "results" / "succeeded.csv").read_text().splitlines()
    assert [line[:4] for line in lines] == ["a,b,", "1,x,", "2,y,"]


def test_failed_rows_are_a_source_as_they_are(stage, tmp_path):
    staging = stage(b"Name,Phone\nA,1\n")
    results = RowResults(staging)
    results.add([RowResult(1, RowStatus.FAILED, code="BAD", message="no")])
    results.write_files(tmp_path)
    failed = FileSource(tmp_path / "failed.csv", FileShape(FileFormat.CSV))
    assert read_columns(failed) == ("Name", "Phone")
    again = stage((tmp_path / "failed.csv").read_bytes())
    RowResults(again).write_files(tmp_path / "again")
    header = (tmp_path / "again" / "failed.csv").read_text().splitlines()[0]
    assert header == "Name,Phone,sf__Row,sf__Id,sf__Code,sf__Message,sf__Fields"


def test_a_parts_results_find_their_rows_by_key_whatever_their_order(one_part, answer, tmp_path):
    results, part = one_part(THREE, KEYED)
    take_in(
        results,
        part,
        succeeded=answer(
            "ok",
            '"sf__Id","sf__Created",Key__c,AnnualRevenue\n"001A","false","a","9.12260031E8"\n',
        ),
        failed=answer(
            "bad",
            '"sf__Id","sf__Error",AnnualRevenue,Key__c\n'
            '"","REQUIRED_FIELD_MISSING:missing: [Name]\nsir:Name Phone --","3.0","c"\n',
        ),
        unprocessed=answer("rest", "Key__c,AnnualRevenue\nb,2\n"),
    )
    results.write_files(tmp_path)
    assert results.counts() == Counts(read=3, updated=1, failed=1, unprocessed=1)
    (succeeded,) = read(tmp_path / "succeeded.csv")
    assert (succeeded["k"], succeeded["sf__Row"], succeeded["sf__Created"]) == ("a", "1", "false")
    (failed,) = read(tmp_path / "failed.csv")
    assert (failed["sf__Row"], failed["sf__Code"], failed["sf__Message"], failed["sf__Fields"]) == (
        "3",
        "REQUIRED_FIELD_MISSING",
        "missing: [Name]\nsir",
        "Name Phone",
    )
    (unprocessed,) = read(tmp_path / "unprocessed.csv")
    assert (unprocessed["k"], unprocessed["sf__Row"]) == ("b", "2")


@pytest.mark.parametrize(
    ("error", "code", "message", "fields"),
    [
        (
            "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--",
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
            "",
        ),
        (
            "DUPLICATE_VALUE:duplicate: Key__c at id: 001:--",
            "DUPLICATE_VALUE",
            "duplicate: Key__c at id: 001",
            "",
        ),
        ("STRANGE", "STRANGE", "STRANGE", ""),
    ],
)
def test_errors_of_bulk_are_taken_apart(one_part, answer, tmp_path, error, code, message, fields):
    results, part = one_part(b"k,n\na,1\n", KEYED)
    failed = answer("bad", f'"sf__Id","sf__Error",Key__c\n"","{error}","a"\n')
    take_in(results, part, succeeded=None, failed=failed, unprocessed=None)
    results.write_files(tmp_path)
    (row,) = read(tmp_path / "failed.csv")
    assert (row["sf__Code"], row["sf__Message"], row["sf__Fields"]) == (code, message, fields)


def test_rows_without_a_key_are_found_by_content_and_twins_one_to_one(one_part, answer, tmp_path):
    columns = [
        MappedColumn("Name", None),
        MappedColumn("AnnualRevenue", None, FieldKind.NUMBER),
        MappedColumn("Start__c", None, FieldKind.DATETIME),
    ]
    moment = "2026-01-31 08:00:00"
    content = f"Name,AnnualRevenue,Start__c\nA,1,{moment}\nA,1,{moment}\nB,,\nA,2,{moment}\n"
    results, part = one_part(content.encode(), columns)
    echo = "2026-01-31T10:00:00.000+0200"
    take_in(
        results,
        part,
        succeeded=answer(
            "ok",
            '"sf__Id","sf__Created",Name,AnnualRevenue,Start__c\n'
            f'"001D","true","A","2.0","{echo}"\n'
            f'"001X","true","A","1.0","{echo}"\n'
            '"001B","true","B","",""\n',
        ),
        failed=answer(
            "bad",
            '"sf__Id","sf__Error",Name,AnnualRevenue,Start__c\n'
            f'"","BAD:no:--","A","1.0","{echo}"\n',
        ),
        unprocessed=None,
    )
    results.write_files(tmp_path)
    ids = {row["sf__Row"]: row["sf__Id"] for row in read(tmp_path / "succeeded.csv")}
    (failed,) = read(tmp_path / "failed.csv")
    assert ids["3"] == "001B"
    assert ids["4"] == "001D"
    assert {failed["sf__Row"], *ids} == {"1", "2", "3", "4"}


@pytest.mark.parametrize("echoed", [str, lambda n: f"{n}.0"], ids=["as-sent", "otherwise"])
def test_rows_without_a_key_are_found_in_any_order_and_form(one_part, answer, tmp_path, echoed):
    """A blank is no value of another column, and no text of several columns is one of others."""
    rows = [(name, other, n) for n in range(20) for name, other in (("a", ""), ("", "a"))]
    source = "".join(f"{name},{other},{n}\n" for name, other, n in rows)
    columns = [
        MappedColumn("Name", None),
        MappedColumn("Site", None),
        MappedColumn("AnnualRevenue", None, FieldKind.NUMBER),
    ]
    results, part = one_part(f"Name,Site,AnnualRevenue\n{source}".encode(), columns)
    told = [
        f'"001{at:015}","true","{name}","{other}","{echoed(n)}"\n'
        for at, (name, other, n) in enumerate(rows, start=1)
    ]
    head = "sf__Id,sf__Created,Name,Site,AnnualRevenue\n"
    succeeded = answer("ok", head + "".join(told[::-1]))
    take_in(results, part, succeeded=succeeded, failed=None, unprocessed=None)
    assert results.write_files(tmp_path).created == len(rows)
    found = read(tmp_path / "succeeded.csv")
    assert all(each["sf__Id"] == f"001{int(each['sf__Row']):015}" for each in found)


def test_a_result_of_a_row_that_was_not_sent_is_none_of_those_without_a_key(one_part, answer):
    results, part = one_part(THREE, [KEYED[1]])
    succeeded = answer("ok", "sf__Id,sf__Created,AnnualRevenue\n1,true,2\n2,true,3\n3,true,4\n")
    with pytest.raises(UnexpectedAnswerError, match="rows without a result: 1"):
        take_in(results, part, succeeded=succeeded, failed=None, unprocessed=None)


def test_the_same_key_twice_is_told_apart_by_the_rest(one_part, answer, tmp_path):
    results, part = one_part(b"k,n\na,1\na,2\n", KEYED)
    take_in(
        results,
        part,
        succeeded=answer("ok", "sf__Id,sf__Created,Key__c,AnnualRevenue\n001A,true,a,2.0\n"),
        failed=answer("bad", "sf__Id,sf__Error,Key__c,AnnualRevenue\n,DUPLICATE:x:--,a,1.0\n"),
        unprocessed=None,
    )
    results.write_files(tmp_path)
    assert [row["sf__Row"] for row in read(tmp_path / "succeeded.csv")] == ["2"]
    assert [row["sf__Row"] for row in read(tmp_path / "failed.csv")] == ["1"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("001A,true,a\n001B,true,b\n", r"rows without a result: 1 \(3\)"),
        (
            "001A,true,a\n001B,true,b\n001C,true,c\n001D,true,d\n",
            "a row that has another one: 1",
        ),
        (
            "001A,true,a\n001B,true,b\n001C,true,c\n001D,true,c\n",
            "a row that has another one: 2",
        ),
    ],
)
def test_results_that_do_not_match_the_rows_sent_are_reported(one_part, answer, rows, said):
    results, part = one_part(THREE, KEYED)
    succeeded = answer("ok", f"sf__Id,sf__Created,Key__c\n{rows}")
    with pytest.raises(UnexpectedAnswerError, match=said):
        take_in(results, part, succeeded=succeeded, failed=None, unprocessed=None)


def test_rows_without_a_result_are_in_doubt_and_the_rest_counts(one_part, answer, tmp_path):
    results, part = one_part(THREE, KEYED)
    succeeded = answer("ok", "sf__Id,sf__Created,Key__c\n001A,true,a\n")
    with pytest.raises(UnexpectedAnswerError):
        take_in(results, part, succeeded=succeeded, failed=None, unprocessed=None)
    results.write_files(tmp_path)
    assert results.counts() == Counts(read=3, created=1, in_doubt=2)
    assert [row["sf__Row"] for row in read(tmp_path / "in_doubt.csv")] == ["2", "3"]


def test_only_rows_that_nothing_identifies_are_to_be_looked_for(one_part, answer):
    for columns, said in ((KEYED, "may safely be sent again"), ([KEYED[1]], "look for the rows")):
        results, part = one_part(THREE, columns)
        succeeded = answer("ok", "sf__Id,sf__Created,AnnualRevenue\n001A,true,2\n")
        with pytest.raises(UnexpectedAnswerError) as caught:
            take_in(results, part, succeeded=succeeded, failed=None, unprocessed=None)
        assert said in caught.value.hint


def test_a_part_without_results_is_in_doubt(one_part):
    results, part = one_part(THREE, KEYED)
    results.add_in_doubt(part)
    assert results.counts() == Counts(read=3, in_doubt=3)
    assert results.top_errors()[0][::2] == ("ANSWER_MISSING", 3)


def test_deleted_rows_are_counted_as_such(stage):
    staging = stage(b"Id\n001000000000001AAA\n", [MappedColumn("Id", None, FieldKind.ID, True)])
    results = RowResults(staging, verb=Verb.DELETE)
    results.add([RowResult(1, RowStatus.SUCCEEDED, id="001000000000001AAA", created=False)])
    assert results.counts() == Counts(read=1, deleted=1)


def test_result_files_are_on_the_disk_when_they_have_their_names(stage, tmp_path, disk_log):
    results = RowResults(stage(b"k\na\nb\n", [MappedColumn("Key__c", "k")]))
    results.add([RowResult(1, RowStatus.SUCCEEDED, id="001A"), RowResult(2, RowStatus.FAILED)])
    results.write_files(tmp_path / "results")
    for name in ("succeeded.csv", "failed.csv"):
        disk_log.assert_durable(tmp_path / "results" / name)


def test_long_texts_with_lines_like_records_are_matched(stage, tmp_path, one_part):
    text = "v,w,x,y\n" * 5_000
    content = "k,t\n" + "".join(f'{n},"{text}"\n' for n in range(300))
    columns = [MappedColumn("Key__c", "k", required=True), MappedColumn("Description", "t")]
    results, part = one_part(content.encode(), columns)
    file = tmp_path / "succeeded.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(["sf__Id", "sf__Created", "Key__c", "Description"])
        writer.writerows([f"001{n:012}", "true", str(n), text] for n in reversed(range(300)))
    take_in(results, part, succeeded=file, failed=None, unprocessed=None)
    counts = results.write_files(tmp_path)
    assert (counts.created, counts.in_doubt) == (300, 0)
    assert {row["t"] for row in read(tmp_path / "succeeded.csv")} == {text}


def test_result_files_that_are_no_csv_are_refused_with_the_place(stage, tmp_path, one_part, answer):
    results, part = one_part(THREE, KEYED)
    cut = answer("s", 'sf__Id,sf__Created,Key__c,AnnualRevenue\n001A,true,a,"1\n')
    with pytest.raises(StateError) as caught:
        take_in(results, part, succeeded=cut, failed=None, unprocessed=None)
    place = 'row 1 (line 2): a value that begins with " is'
    expected = f"The result sets of ingest job 750x cannot be read: {place}"
    assert caught.value.message.startswith(expected)


def test_a_file_with_semicolons_needs_no_engine_and_its_results_have_commas(stage, tmp_path):
    columns = [MappedColumn("Key__c", "k"), MappedColumn("N__c", "n")]
    staging = stage(b"k;n\r\na;1,5\r\nb;\r\n", columns, shape={"delimiter": ";"})
    results = RowResults(staging)
    results.add([RowResult(1, RowStatus.SUCCEEDED, "001A", created=False)])
    assert results.write_files(tmp_path) == Counts(read=2, updated=1, unprocessed=1)
    assert (tmp_path / "succeeded.csv").read_text().splitlines()[1:] == ['a,"1,5",1,001A,false']
    assert (tmp_path / "unprocessed.csv").read_text().splitlines()[1:] == ["b,,2"]
    assert not staging.database.is_open


@pytest.mark.parametrize("has_table", [False, True])
def test_rows_of_which_nothing_is_known_can_be_left_to_the_counts(stage, tmp_path, has_table):
    staging = stage(THREE, KEYED)
    (part,) = staging.parts(tmp_path / "parts", 1_000)
    results = RowResults(staging)
    if has_table:
        results.use_table()
    (tmp_path / "unprocessed.csv").write_text("of a process that knew less")
    (tmp_path / "in_doubt.csv").write_text("of a process that knew less")
    results.add_under_way(replace(part, rows=2))
    results.add([RowResult(2, RowStatus.SUCCEEDED, id="001B", created=True)])
    counts = results.write_files(tmp_path, known_only=True)
    assert counts == Counts(read=3, created=1, in_doubt=2)
    assert [row["sf__Id"] for row in read(tmp_path / "succeeded.csv")] == ["001B"]
    assert read(tmp_path / "failed.csv") == []
    assert not (tmp_path / "unprocessed.csv").exists()
    assert not (tmp_path / "in_doubt.csv").exists()
