import json
from dataclasses import dataclass

import pytest

from runner.errors import OrgError, UnexpectedAnswerError
from runner.salesforce.rest.query import ShortResultError, fits_url, pages, pages_from


def page(*ids, total, following=None):
    records = [{"attributes": {"type": "A"}, "Id": record_id} for record_id in ids]
    more = {"nextRecordsUrl": following} if following else {}
    return {"totalSize": total, "done": following is None, "records": records, **more}


def test_pages_are_followed_to_the_end(world):
    world.org.say(200, page("1", "2", total=3, following="/services/data/v66.0/query/01g-2"))
    world.org.say(200, page("3", total=3))
    found = list(pages(world.session, "SELECT Id FROM A WHERE B = 'c+d'"))
    assert [[record["Id"] for record in each.records] for each in found] == [["1", "2"], ["3"]]
    assert found[0].total_size == 3
    assert world.org.paths() == [
        "GET /services/data/v66.0/query?q=SELECT%20Id%20FROM%20A%20WHERE%20B%20%3D%20%27c%2Bd%27",
        "GET /services/data/v66.0/query/01g-2",
    ]


def test_deleted_records_are_found_by_query_all(world):
    world.org.say(200, page(total=0))
    assert [each.records for each in pages(world.session, "SELECT Id FROM A", deleted=True)] == [[]]
    assert "/queryAll?q=" in world.org.asked[0].path


def test_a_count_is_a_page_without_records(world):
    world.org.say(200, {"totalSize": 42, "done": True, "records": []})
    assert next(pages(world.session, "SELECT COUNT() FROM A")).total_size == 42


def test_the_next_page_is_asked_of_the_same_org_whatever_it_says(world):
    world.org.say(
        200, page("1", total=2, following="https://evil.example/services/data/v66.0/query/01g-1")
    )
    world.org.say(200, page("2", total=2))
    assert len(list(pages(world.session, "SELECT Id FROM A"))) == 2
    assert world.org.asked[1].path == "/services/data/v66.0/query/01g-1"


@pytest.mark.parametrize("following", ["/services/data/v66.0/query/01g-1", ""])
def test_pages_that_lead_nowhere_end(world, following):
    endless = {**page("1", total=9, following="x"), "nextRecordsUrl": following}
    world.org.respond = lambda _: (200, endless)
    with pytest.raises(UnexpectedAnswerError):
        list(pages(world.session, "SELECT Id FROM A"))
    assert len(world.org.asked) <= 2


def test_a_lost_page_is_asked_for_again(world):
    world.org.say(200, page("1", total=2, following="/services/data/v66.0/query/01g-1"))
    world.org.lose()
    world.org.say(200, page("2", total=2))
    assert [each.records[0]["Id"] for each in pages(world.session, "SELECT Id FROM A")] == [
        "1",
        "2",
    ]


def test_an_expired_cursor_says_to_run_the_query_again(world):
    world.org.refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    with pytest.raises(OrgError) as caught:
        next(pages(world.session, "SELECT Id FROM A"))
    assert "run the query again" in caught.value.hint


def test_a_query_that_is_too_long_for_a_url_is_told_beforehand():
    assert fits_url("SELECT Id FROM Account")
    assert not fits_url("SELECT Id FROM Account WHERE Name IN (" + "'ä'," * 1000 + "'b')")


def test_a_page_that_does_not_say_whether_it_is_the_last_is_not_taken_for_it(world):
    world.org.say(200, {"totalSize": 3, "records": []})
    with pytest.raises(UnexpectedAnswerError, match="lacks done"):
        list(pages(world.session, "SELECT Id FROM A"))


def test_what_is_left_of_a_list_is_followed_from_its_url(world):
    world.org.say(200, page("3", total=4, following="/services/data/v66.0/query/0r8-3"))
    world.org.say(200, page("4", total=4))
    found = pages_from(world.session, "/services/data/v66.0/query/0r8-2")
    assert [each.records[0]["Id"] for each in found] == ["3", "4"]
    assert [each.path for each in world.org.asked] == [
        "/services/data/v66.0/query/0r8-2",
        "/services/data/v66.0/query/0r8-3",
    ]


@pytest.mark.parametrize("following", ["/services/data/v66.0/query/0r8-2", ""])
def test_a_list_that_leads_nowhere_ends(world, following):
    endless = {**page("1", total=9, following="x"), "nextRecordsUrl": following}
    world.org.respond = lambda _: (200, endless)
    with pytest.raises(UnexpectedAnswerError):
        list(pages_from(world.session, "/services/data/v66.0/query/0r8-2"))


@dataclass(frozen=True)
class Read:
    """A page as a caller reads it."""

    done: bool
    next_records_url: str | None
    count: int


def read(answer):
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return Read(found["done"], found.get("nextRecordsUrl"), len(found["records"]))


def test_a_caller_may_read_the_pages_that_follow_itself(world):
    world.org.say(200, page("1", total=4, following="/services/data/v66.0/query/01g-1"))
    world.org.say(200, page("2", total=4, following="/services/data/v66.0/query/01g-2"))
    world.org.say(200, b'{"done": true, "records": [')  # cut, and asked for again
    world.org.say(200, page("3", "4", total=4))
    found = list(pages(world.session, "SELECT Id FROM A", read=read))
    assert found[1:] == [Read(False, "/services/data/v66.0/query/01g-2", 1), Read(True, None, 2)]


def test_what_the_caller_does_not_read_comes_as_the_org_sent_it(world):
    world.org.say(200, page("1", total=2, following="/services/data/v66.0/query/01g-1"))
    world.org.say(200, page("2", total=2))
    found = list(pages(world.session, "SELECT Id FROM A", read=lambda _: None))
    assert [each.records[0]["Id"] for each in found] == ["1", "2"]


@pytest.mark.parametrize("last", [page("3", total=4), page(total=4, following="/x")])
def test_records_that_a_caller_reads_are_counted(world, last):
    world.org.say(200, page("1", "2", total=4, following="/services/data/v66.0/query/01g-1"))
    world.org.say(200, last)
    with pytest.raises(ShortResultError):
        list(pages(world.session, "SELECT Id FROM A", read=read))
