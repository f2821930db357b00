import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.credentials import Secret
from runner.salesforce.http.messages import OrgRequest, path_of, segment


def test_repr_of_a_request_shows_no_secret():
    request = OrgRequest(
        "POST",
        "https://x/y",
        headers={"Authorization": Secret("Bearer canary-1")},
        form={"refresh_token": Secret("canary-2"), "client_id": "3MVG9"},
        body=b"canary-3",
    )
    assert "canary" not in repr(request)
    assert "***" in repr(request)


def test_plus_hash_and_ampersand_of_a_query_stay_what_they_are():
    request = OrgRequest("GET", "https://x/query", params={"q": "a = 'b+c#d&e' AND t > 1+02:00"})
    assert (
        request.target
        == "https://x/query?q=a%20%3D%20%27b%2Bc%23d%26e%27%20AND%20t%20%3E%201%2B02%3A00"
    )


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("é ?", "%C3%A9%20%3F"),
        ("A-b_c.d~1", "A-b_c.d~1"),
    ],
)
def test_a_path_segment_encodes_all_but_unreserved(value, encoded):
    assert segment(value) == encoded


@given(st.text(min_size=1))
def test_a_segment_never_holds_a_character_that_ends_it(value):
    assert not set(segment(value)) & set("/?#&+ %") - {"%"}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/services/data/v66.0/query/01g-2000", "/services/data/v66.0/query/01g-2000"),
        (
            "https://evil.example/services/data/v66.0/x?locator=a",
            "/services/data/v66.0/x?locator=a",
        ),
        ("//evil.example/services/x", "/services/x"),
        ("services/data/v66.0/jobs", "/services/data/v66.0/jobs"),
    ],
)
def test_what_the_org_sends_to_be_followed_is_a_path_only(url, path):
    assert path_of(url) == path


@pytest.mark.parametrize(
    ("method", "told", "repeatable"),
    [
        ("GET", None, True),
        ("PATCH", None, True),
        ("DELETE", None, True),
        ("POST", None, False),
        ("POST", True, True),
        ("PUT", False, False),
    ],
)
def test_a_post_is_not_repeatable_unless_told(method, told, repeatable):
    assert OrgRequest(method, "/x", idempotent=told).repeatable is repeatable
