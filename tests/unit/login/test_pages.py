import re

import pytest

from runner.login.pages import HEADERS, SignInEnd, Status, not_found, page_of

PAGES = [*(page_of(SignInEnd(status)) for status in Status), not_found()]


@pytest.mark.parametrize("page", PAGES, ids=[*Status, "not_found"])
def test_a_page_stands_alone_and_fits_a_phone(page):
    text = page.body.decode()
    assert 'name="viewport"' in text
    assert "<script" not in text
    assert not re.search(r"(src|href|url)\s*[=(]", text)
    assert "http" not in text


def test_each_ending_says_what_to_do():
    done = page_of(SignInEnd(Status.DONE, "ada@acme.example"))
    assert done.status == 200
    assert b"Signed in" in done.body
    assert b"close this page" in done.body
    assert b"ada@acme.example" in done.body
    assert b"refused" in page_of(SignInEnd(Status.REFUSED)).body
    assert b"terminal says why" in page_of(SignInEnd(Status.FAILED)).body


def test_what_the_org_says_is_no_markup():
    body = page_of(SignInEnd(Status.DONE, "<img src=x onerror=alert(1)>")).body
    assert b"<img" not in body


def test_the_headers_keep_nothing_and_load_nothing():
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
