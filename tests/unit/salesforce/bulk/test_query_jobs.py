import gzip

import pytest

from runner.errors import DamagedAnswerError, OrgError, StateError, UnexpectedAnswerError
from runner.salesforce.bulk import query_jobs
from runner.salesforce.bulk.job import Pace


def job(state="UploadComplete"):
    return {"id": "750q", "state": state, "object": "Account", "operation": "query"}


def rows(world, text, count, locator="null"):
    world.org.say(200, text, Sforce_NumberOfRecords=str(count), Sforce_Locator=locator)


@pytest.mark.parametrize(("deleted", "operation"), [(False, "query"), (True, "queryAll")])
def test_a_job_is_made_for_the_query(world, deleted, operation):
    world.org.say(200, job())
    assert query_jobs.create_job(world.session, "SELECT Id FROM A", deleted=deleted).id == "750q"
    assert world.org.asked[0].json == {
        "operation": operation,
        "query": "SELECT Id FROM A",
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }


def test_a_refused_query_is_an_error(world):
    world.org.refuse(400, "MALFORMED_QUERY", "unexpected token: FORM")
    with pytest.raises(OrgError, match="unexpected token: FORM"):
        query_jobs.create_job(world.session, "SELECT Id FORM A")


def test_a_job_is_polled_until_it_ends(world):
    world.org.say(200, job("InProgress"))
    world.org.say(200, job("JobComplete"))
    pace = Pace()
    assert query_jobs.poll(world.session, "750q", pace, lambda _: None).state == "JobComplete"


def test_pages_are_joined_until_the_locator_says_null(world, tmp_path):
    rows(world, b'"Id","Name"\n"1","a\nb"\n', 1, "MTA")
    rows(world, b'"Id","Name"\n"2","c"', 1, "MjA=")
    rows(world, b'"Id","Name"\n"3","d"\n', 1)
    to = tmp_path / "accounts.csv"
    reported = []
    assert query_jobs.download(world.session, "750q", to, report=reported.append) == 3
    assert to.read_bytes() == b'"Id","Name"\n"1","a\nb"\n"2","c"\n"3","d"\n'
    assert reported == [1, 2, 3]
    assert [path.partition("/results")[2] for path in world.org.paths()] == [
        "",
        "?locator=MTA",
        "?locator=MjA%3D",
    ]
    assert list(tmp_path.iterdir()) == [to]


def test_a_page_that_breaks_off_is_fetched_again_from_its_start(world, tmp_path):
    rows(world, b"Id\n1\n", 1, "MTA")
    world.org.cut(b"Id\n2\n3", Sforce_NumberOfRecords="2")
    rows(world, b"Id\n2\n3\n", 2)
    to = tmp_path / "a.csv"
    assert query_jobs.download(world.session, "750q", to) == 3
    assert to.read_bytes() == b"Id\n1\n2\n3\n"


def test_a_compressed_page_is_joined_like_any_other(world, tmp_path):
    rows(world, b"Id\n1\n", 1, "MTA")
    world.org.say(
        200,
        gzip.compress(b"Id\n" + b"2\n" * 200_000),
        Content_Encoding="gzip",
        Sforce_NumberOfRecords="200000",
        Sforce_Locator="null",
    )
    to = tmp_path / "a.csv"
    assert query_jobs.download(world.session, "750q", to) == 200_001
    assert to.read_bytes() == b"Id\n1\n" + b"2\n" * 200_000


def test_no_rows_leave_a_header(world, tmp_path):
    rows(world, b'"Id"\n', 0)
    to = tmp_path / "a.csv"
    assert query_jobs.download(world.session, "750q", to) == 0
    assert to.read_bytes() == b'"Id"\n'


def test_pages_that_form_a_loop_end_and_leave_no_file(world, tmp_path):
    for locator in ("MTA", "MjA", "MTA"):
        rows(world, b"Id\n1\n", 1, locator)
    with pytest.raises(UnexpectedAnswerError, match="loop"):
        query_jobs.download(world.session, "750q", tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_rows_that_nobody_counted_are_not_trusted(world, tmp_path):
    world.org.say(200, b"Id\n1\n")
    with pytest.raises(UnexpectedAnswerError, match="how many rows"):
        query_jobs.download(world.session, "750q", tmp_path / "a.csv")


def test_a_refused_download_keeps_the_file_that_was_there(world, tmp_path):
    to = tmp_path / "a.csv"
    to.write_bytes(b"yesterday")
    rows(world, b"Id\n1\n", 1, "MTA")
    world.org.refuse(409, "API_ERROR", "another API version")
    with pytest.raises(OrgError):
        query_jobs.download(world.session, "750q", to)
    assert to.read_bytes() == b"yesterday"
    assert list(tmp_path.iterdir()) == [to]


def test_a_folder_that_cannot_be_created_is_a_state_error(world, tmp_path):
    (tmp_path / "no").write_text("a file")
    with pytest.raises(StateError, match="cannot be written"):
        query_jobs.download(world.session, "750q", tmp_path / "no" / "a.csv")


MANY = query_jobs.FEW_ROWS + 1
PAGES = {
    "": (b'"Id"\n' + b'"1"\n' * (MANY - 2), MANY - 2),
    "b": (b'"Id"\n"2"', 1),
    "c": (b'"Id"\n"3"\n', 1),
}


def paged(world):
    """An org that tells its pages two at a time and gives them in any order."""
    base = "/services/data/v66.0/jobs/query/750q"

    def answer(asked):
        path = asked.path
        if path.endswith("/resultPages"):
            pages = [{"resultUrl": f"{base}/results"}, {"resultUrl": f"{base}/results?locator=b"}]
            more = f"{base}/resultpages?locator=c"
            return 200, {"resultPages": pages, "nextRecordsUrl": more, "done": False}
        if path == f"{base}/resultpages?locator=c":
            pages = [{"resultUrl": f"{base}/results?locator=c"}]
            return 200, {"resultPages": pages, "done": True}
        text, count = PAGES[path.partition("locator=")[2]]
        return 200, text, {"Sforce_NumberOfRecords": str(count)}

    world.org.respond = answer


def test_many_pages_come_side_by_side_and_stand_in_their_order(world, tmp_path):
    paged(world)
    to, reported = tmp_path / "a.csv", []
    found = query_jobs.download(world.session, "750q", to, expected=MANY, report=reported.append)
    assert found == MANY
    assert to.read_bytes() == PAGES[""][0] + b'"2"\n"3"\n'
    assert reported == [MANY - 2, MANY - 1, MANY]
    assert list(tmp_path.iterdir()) == [to]


def starred(chunks):
    return (chunk.replace(b"1", b"*").replace(b"2", b"*") for chunk in chunks)


def test_every_page_is_rewritten_before_it_is_saved(world, tmp_path):
    paged(world)
    to = tmp_path / "a.csv"
    query_jobs.download(world.session, "750q", to, expected=MANY, rewrite=starred)
    assert to.read_bytes() == PAGES[""][0].replace(b"1", b"*") + b'"*"\n"3"\n'
    world.org.respond = None
    rows(world, b"Id\n1\n", 1, "MTA")
    world.org.cut(b"Id\n2\n3", Sforce_NumberOfRecords="2")
    rows(world, b"Id\n2\n3\n", 2)
    assert query_jobs.download(world.session, "750q", to, rewrite=starred) == 3
    assert to.read_bytes() == b"Id\n*\n*\n3\n"


def test_an_org_that_does_not_tell_its_pages_is_asked_for_one_after_the_other(world, tmp_path):
    world.org.refuse(404, "NOT_FOUND", "no such resource")
    rows(world, b"Id\n" + b"1\n" * (MANY - 1), MANY - 1, "MTA")
    rows(world, b"Id\n2\n", 1)
    to = tmp_path / "a.csv"
    assert query_jobs.download(world.session, "750q", to, expected=MANY) == MANY
    assert to.read_bytes() == b"Id\n" + b"1\n" * (MANY - 1) + b"2\n"


def test_pages_that_do_not_add_up_are_fetched_one_after_the_other(world, tmp_path):
    base = "/services/data/v66.0/jobs/query/750q"
    world.org.say(200, {"resultPages": [{"resultUrl": f"{base}/results"}], "done": True})
    rows(world, PAGES[""][0], MANY - 2, "b")  # as a listed page
    rows(world, PAGES[""][0], MANY - 2, "b")
    rows(world, PAGES["b"][0], 1, "c")
    rows(world, PAGES["c"][0], 1)
    to = tmp_path / "a.csv"
    assert query_jobs.download(world.session, "750q", to, expected=MANY) == MANY
    assert to.read_bytes() == PAGES[""][0] + b'"2"\n"3"\n'


def test_a_page_that_is_listed_twice_is_no_other_page(world, tmp_path):
    page = {"resultUrl": "/services/data/v66.0/jobs/query/750q/results"}
    world.org.say(200, {"resultPages": [page, page], "done": True})
    for _ in range(2):
        rows(world, b"Id\n" + b"1\n" * MANY, MANY)
    with pytest.raises(UnexpectedAnswerError, match="750q are listed more than once"):
        query_jobs.download(world.session, "750q", tmp_path / "a.csv", expected=2 * MANY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("last_locator", ["null", ""])
def test_pages_that_are_missing_at_the_end_are_an_error(world, tmp_path, last_locator):
    rows(world, b"Id\n1\n", 1, "MTA")
    for _ in range(4):
        rows(world, b"Id\n2\n", 1, last_locator)
    with pytest.raises(DamagedAnswerError, match="job 750q arrived damaged: 1 of 2 records"):
        query_jobs.download(world.session, "750q", tmp_path / "a.csv", expected=3)
    assert list(tmp_path.iterdir()) == []


SHORT = {
    "cut after a line": b"Id,Name\n1,a\n",
    "cut within a quoted value": b'Id,Name\n1,a\n2,"b',
    "doubled": b"Id,Name\n1,a\n2,b\nId,Name\n1,a\n2,b\n",
    "empty": b"",
    "a web page": b"<html><body>\nplease\nwait</body></html>",
    "garbled": b"Id,Name\n1,a\xff\n2,b\n",
    "U+0000": b"Id,Name\n1,a\0\n2,b\n",
    "a value is missing": b'Id,Name\n"1"\n"2","b,"\n',
    "a value too many": b'Id,Name\n1,"a"",",\n2,b\n',
    "an empty line instead of a record": b"Id,Name\n\n2,b\n",
}


@pytest.mark.parametrize("body", SHORT.values(), ids=SHORT)
@pytest.mark.parametrize("lists_pages", [False, True])
def test_a_page_that_arrives_damaged_is_fetched_again(world, tmp_path, body, lists_pages):
    whole = b"Id,Name\n1,a\n2,b\n"
    expected, to = 2, tmp_path / "a.csv"
    if lists_pages:
        page = {"resultUrl": "/services/data/v66.0/jobs/query/750q/results"}
        world.org.say(200, {"resultPages": [page], "done": True})
        expected, whole = MANY, b"Id,Name\n" + b"1,a\n" * MANY
    rows(world, body, expected)
    rows(world, whole, expected)
    assert query_jobs.download(world.session, "750q", to, expected=expected) == expected
    assert to.read_bytes() == whole


def test_a_page_that_stays_short_is_an_error(world, tmp_path):
    for _ in range(4):
        rows(world, b"Id\n1\n", 2)
    with pytest.raises(
        DamagedAnswerError, match=r"1 of 2 records arrived \(tried 4 times\)\."
    ) as it:
        query_jobs.download(world.session, "750q", tmp_path / "a.csv")
    assert it.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", ["9" * 5000, "-1", "two", "1.5"])
def test_a_count_that_is_none_is_an_error(world, tmp_path, count):
    for _ in range(4):
        rows(world, b"Id\n1\n", count)
    with pytest.raises(DamagedAnswerError, match="Sforce-NumberOfRecords"):
        query_jobs.download(world.session, "750q", tmp_path / "a.csv")


@pytest.mark.parametrize("expected", [MANY])
def test_saved_rows_are_on_the_disk_when_they_have_their_name(world, tmp_path, disk_log, expected):
    paged(world)
    to = tmp_path / "a.csv"
    query_jobs.download(world.session, "750q", to, expected=expected)
    disk_log.assert_durable(to)
