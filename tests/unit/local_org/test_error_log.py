"""A defect of the org, as its clients and the terminal of a run meet it."""

import logging
from http import HTTPStatus

import pytest

from runner.local_org.error_log import FILE_NAME, log_errors
from runner.local_org.http.log import RequestLog
from runner.local_org.http.messages import JSON_TYPE

QUERY = "/services/data/v60.0/query"


@pytest.fixture
def log():
    """The log of the package, as it was before once the test ends."""
    log = logging.getLogger("runner.local_org")
    before = log.handlers[:]
    yield log
    for handler in set(log.handlers) - set(before):
        handler.close()
        log.removeHandler(handler)
    log.propagate = True


def defect(*_):
    raise RuntimeError("a broken part")


@pytest.mark.parametrize("where", ["in a resource", "around the router"])
def test_it_is_answered_as_salesforce_does_and_told_once_without_a_traceback(
    served, log, tmp_path, monkeypatch, capsys, where
):
    org = served()
    log_errors(tmp_path)
    broken = (
        (RequestLog, "add") if where == "around the router" else (type(org.org.store), "reading")
    )
    monkeypatch.setattr(*broken, defect)
    for _ in range(2):
        answer = org.client.get(QUERY, params={"q": "SELECT Id FROM Account"})
        assert answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
        assert answer.headers["content-type"] == JSON_TYPE
        assert answer.json()[0]["errorCode"] == "UNKNOWN_EXCEPTION"
    monkeypatch.undo()
    assert capsys.readouterr().err.splitlines() == [
        f"local org: GET {QUERY} failed: RuntimeError; details in {tmp_path / FILE_NAME}"
    ]
    assert (tmp_path / FILE_NAME).read_text().count("Traceback (most recent call last)") == 2
