import msgspec
import pytest

from runner.errors import DamagedAnswerError, UnexpectedAnswerError
from runner.salesforce.http.json_answers import Count, check_whole, read_json
from runner.salesforce.http.messages import OrgResponse

ASKED = "GET /services/data/v66.0/things"


class Thing(msgspec.Struct):
    name: str
    count: Count | None = None
    parts: list["Thing"] = []


def answered(body, status=200):
    return OrgResponse(status, {}, body, request=ASKED)


def test_an_answer_is_read_and_members_of_later_releases_are_ignored():
    found = read_json(answered(b'{"name": "a", "count": 3, "later": {}}'), Thing)
    assert found == Thing("a", 3)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"[1]", "has `array` at its top instead of `object`"),
        (b"null", "has `null` at its top instead of `object`"),
        (b"{}", "lacks name"),
        (b'{"name": null}', "has `null` at name instead of `str`"),
        (b'{"name": "a", "count": "many"}', "has `str` at count instead of `int | null`"),
        (b'{"name": "a", "count": -1}', "does not fit at count"),
        (b'{"name": "a", "count": 1.5}', "has `float` at count"),
        (b'{"name": "a", "count": ' + b"9" * 5000 + b"}", "does not fit at count"),
        (b'{"name": "a", "parts": [{"name": 1}]}', "has `int` at parts[].name instead of `str`"),
        (b'{"name": "a", "parts": [{}]}', "lacks name in parts[]"),
        (b"[" * 100_000 + b"]" * 100_000, "has `array` at its top"),
        (b'{"name": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
    ids=range(12),
)
def test_an_answer_of_another_form_names_request_and_member(body, says):
    check_whole(answered(body))
    with pytest.raises(UnexpectedAnswerError, match=f"The answer to {ASKED}") as caught:
        read_json(answered(body), Thing)
    assert says in caught.value.message.replace("[0]", "[]")


@pytest.mark.parametrize(
    "body", [b"<html>maintenance</html>", b'{"name": "a"', b"", b" ", b'{"name": "\xff"}', b"{}{}"]
)
def test_half_an_answer_is_damaged(body):
    with pytest.raises(DamagedAnswerError, match=f"The answer to {ASKED} arrived damaged"):
        check_whole(answered(body))


def test_an_answer_that_has_no_body_is_whole():
    check_whole(answered(b"", status=204))
    check_whole(answered(b"", status=201))


def test_what_msgspec_refuses_and_python_reads_is_read():
    body = b'\xef\xbb\xbf{"name": "half \\ud83d a pair"}'
    check_whole(answered(body))
    assert read_json(answered(body), Thing).name == "half \ud83d a pair"


def test_a_web_page_says_how_it_begins():
    with pytest.raises(UnexpectedAnswerError, match="<html>maintenance"):
        read_json(answered(b"<html>maintenance</html>"), Thing)


def test_half_of_an_answer_is_not_quoted():
    """It may be half of a token."""
    with pytest.raises(UnexpectedAnswerError) as caught:
        read_json(answered(b'{"access_token": "secret'), Thing)
    assert "secret" not in caught.value.message
