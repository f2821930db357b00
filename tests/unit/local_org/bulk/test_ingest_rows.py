"""What becomes of rows: result files to the letter, spoilt content, order, counts."""

from __future__ import annotations

import pytest

MANY = 1_000
UNESCAPED = (
    "Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
)


def test_successes_bear_their_id_and_the_row_as_it_was_sent(bulk):
    job = bulk.ingest('Name,"BillingCity"\n"Acme ""A"", Inc","Mi\nlano"\n')
    text = bulk.text(job, "successfulResults")
    header, _, rest = text.partition("\n")
    assert header == '"sf__Id","sf__Created",Name,"BillingCity"'
    row = bulk.rows(job, "successfulResults")[0]
    assert rest == f'"{row["sf__Id"]}","true","Acme ""A"", Inc","Mi\nlano"\n'
    assert row["sf__Id"].startswith("001")


def test_failures_bear_code_message_and_fields(bulk):
    job = bulk.ingest("Name,BillingState\n,CA\n")
    assert bulk.text(job, "failedResults") == (
        '"sf__Id","sf__Error",Name,BillingState\n'
        '"","REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --","","CA"\n'
    )
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (
        "JobComplete", 1, 1,
    )  # fmt: skip


def test_a_failed_update_bears_its_id_from_53_on(bulk):
    missing = "001LO00000zzzzzYAA"
    content = f"Id,Name\n{missing},x\n"
    row = bulk.rows(bulk.ingest(content, "update"), "failedResults")[0]
    error = row["sf__Error"]
    assert error.endswith(":--")
    bulk.version = "52.0"
    old = bulk.rows(bulk.ingest(content, "update"), "failedResults")[0]
    assert old["sf__Id"] == ""
    assert old["sf__Error"] == error


def test_upsert_tells_created_from_updated(bulk):
    content = "ERP_Id__c,Name\nE1,One\nE2,Two\n"
    args = {"externalIdFieldName": "ERP_Id__c"}
    first = bulk.rows(bulk.ingest(content, "upsert", **args), "successfulResults")
    second = bulk.rows(bulk.ingest(content + "E3,Three\n", "upsert", **args), "successfulResults")
    assert {row["sf__Created"] for row in first} == {"true"}
    assert {row["ERP_Id__c"]: row["sf__Created"] for row in second} == {
        "E1": "false", "E2": "false", "E3": "true",
    }  # fmt: skip


def test_numbers_are_echoed_as_java_prints_them(bulk):
    content = "Name,AnnualRevenue,NumberOfEmployees\nAcme,912260031,2676\n"
    row = bulk.rows(bulk.ingest(content), "successfulResults")[0]
    assert row["AnnualRevenue"] == "9.12260031E8"
    assert row["NumberOfEmployees"] == "2676"


def test_rows_come_back_in_another_order_but_always_the_same(bulk):
    content = "Name\n" + "".join(f"Acme {number:04}\n" for number in range(MANY))
    rows = bulk.rows(bulk.ingest(content), "successfulResults")
    names = [row["Name"] for row in rows]
    assert len(names) == MANY
    assert names != sorted(names)
    assert sorted(names) == [f"Acme {number:04}" for number in range(MANY)]


@pytest.mark.parametrize(
    ("name", "mark"),
    [("BACKQUOTE", "`"), ("CARET", "^"), ("PIPE", "|"), ("SEMICOLON", ";"), ("TAB", "\t")],
)
def test_every_delimiter_is_read_and_written(bulk, name, mark):
    job = bulk.ingest(f'Name{mark}BillingCity\n"A{mark}B"{mark}Rome\n', columnDelimiter=name)
    text = bulk.text(job, "successfulResults")
    assert text.startswith(f'"sf__Id"{mark}"sf__Created"{mark}Name{mark}BillingCity\n')
    assert text.endswith(f'"true"{mark}"A{mark}B"{mark}"Rome"\n')


def test_crlf_jobs_speak_crlf(bulk):
    job = bulk.ingest("Name\r\nAcme\r\n", lineEnding="CRLF")
    assert bulk.text(job, "successfulResults").endswith('"Acme"\r\n')


@pytest.mark.parametrize(
    ("content", "setting"),
    [
        ("Name\r\nAcme\r\n", "LF"),
        ('Name\n"two\r\nlines"\n', "LF"),
        ("Name\nAcme\n", "CRLF"),
        ('Name\r\n"two\nlines"\r\n', "CRLF"),
    ],
)
def test_a_wrong_line_ending_anywhere_fails_the_job(bulk, content, setting):
    job = bulk.ingest(content, lineEnding=setting)
    assert job["state"] == "Failed"
    assert job["errorMessage"] == (
        "ClientInputError : LineEnding is invalid on user data. "
        f"Current LineEnding setting is {setting}"
    )
    assert job["numberRecordsProcessed"] == 0
    assert bulk.rows(job, "successfulResults") == []
    assert len(bulk.rows(job, "unprocessedrecords")) == 1


@pytest.mark.parametrize(
    ("content", "args", "words"),
    [
        ("Name,Foo\nA,B\n", {}, "Field name not found : Foo"),
        ("\ufeffName\nA\n", {}, "Field name not found : \ufeffName"),
        ("Name|BillingCity\nA|B\n", {}, "Field name not found : Name|BillingCity"),
        ("Name\nA\n", {"operation": "update"}, "Field name not found : Id"),
        (
            "Name\nA\n",
            {"operation": "upsert", "externalIdFieldName": "ERP_Id__c"},
            "Field name not found : ERP_Id__c",
        ),
        (
            '\ufeff"Name"\n"A"\n',
            {},
            UNESCAPED,
        ),
        (
            'Name\n5" pipe\n',
            {},
            UNESCAPED,
        ),
        ('Name\n"open\n', {}, "Failed to parse CSV. EOF reached before closing an opened quote"),
        ("Name,Site\nA\n", {}, "Number of fields in a row (1) differs from the header (2)"),
        (b"Name\n\xff\xfe\n", {}, "Content is not valid UTF-8"),
        ("Name\n" + "x" * 131_073 + "\n", {}, "A field is longer than 131072 characters"),
        ("Name,name\nA,B\n", {}, "Field name is given more than once"),
    ],
)
def test_content_that_cannot_be_read_fails_the_job(bulk, content, args, words):
    job = bulk.ingest(content, **args)
    assert job["state"] == "Failed"
    assert job["errorMessage"] == f"InvalidBatch : {words}"
    assert job["numberRecordsProcessed"] == 0


def test_a_job_that_fails_half_way_keeps_what_was_done_and_gives_back_the_rest(bulk):
    good = "".join(f"Acme {number}\n" for number in range(250))
    bad = '5" pipe\nlast\n'
    job = bulk.ingest("Name\n" + good + bad)
    assert job["state"] == "Failed"
    done = bulk.rows(job, "successfulResults")
    left = bulk.text(job, "unprocessedrecords")
    assert len(done) == job["numberRecordsProcessed"] == 200
    assert left == "Name\n" + "".join(f"Acme {number}\n" for number in range(200, 250)) + bad


def test_a_row_with_more_cells_than_the_header_fails_alone(bulk):
    job = bulk.ingest("Name,Site\nA,x\nB,y,z\nC,w\n")
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (
        "JobComplete",
        3,
        1,
    )
    assert {row["Name"] for row in bulk.rows(job, "successfulResults")} == {"A", "C"}
    (failed,) = bulk.rows(job, "failedResults")
    assert (failed["Name"], failed["Site"], None in failed) == ("B", "y", False)
    assert "Number of fields in a row (3)" in failed["sf__Error"]


def test_an_upsert_by_id_creates_where_there_is_no_id(bulk):
    job = bulk.ingest("Name\nA\n", "upsert", externalIdFieldName="Id")
    (made,) = bulk.rows(job, "successfulResults")
    assert made["sf__Created"] == "true"
    content = f"Id,Name\n{made['sf__Id']},B\n,C\n"
    job = bulk.ingest(content, "upsert", externalIdFieldName="Id")
    rows = bulk.rows(job, "successfulResults")
    assert {row["Name"]: row["sf__Created"] for row in rows} == {"B": "false", "C": "true"}


def test_header_names_are_taken_in_any_case(bulk):
    job = bulk.ingest("NAME\nAcme\n")
    assert bulk.rows(job, "successfulResults")[0]["NAME"] == "Acme"


def test_parents_are_found_by_external_id(bulk):
    args = {"externalIdFieldName": "ERP_Id__c"}
    bulk.ingest("ERP_Id__c,Name\nP1,Parent\n", "upsert", **args)
    job = bulk.ingest("LastName,Account.ERP_Id__c\nDoe,P1\nRoe,P2\n", sobject="Contact")
    assert [row["LastName"] for row in bulk.rows(job, "successfulResults")] == ["Doe"]
    assert bulk.rows(job, "failedResults")[0]["sf__Error"] == (
        "INVALID_FIELD:Foreign key external ID: P2 not found for field ERP_Id__c in entity "
        "Account:--"
    )


def test_rows_are_deleted_by_id(bulk):
    made = bulk.rows(bulk.ingest("Name\nA\nB\n"), "successfulResults")
    content = "Id\n" + "".join(f"{row['sf__Id']}\n" for row in made)
    for operation, count in (("delete", 2), ("hardDelete", 0)):
        job = bulk.ingest(content, operation)
        assert len(bulk.rows(job, "successfulResults")) + 0 >= count
    job = bulk.query("SELECT Id FROM Account")
    assert job["numberRecordsProcessed"] == 0
