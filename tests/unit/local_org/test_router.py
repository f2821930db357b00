"""Versions, tokens, methods and unknown paths, as Salesforce answers them."""

from __future__ import annotations

import pytest

from runner.local_org import router
from runner.local_org.http.messages import Response, Route
from runner.local_org.org import Settings

UNKNOWN = {"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}


def test_versions_are_listed_to_anyone_oldest_first(served):
    answer = served().client.get("/services/data/", headers={"Authorization": ""})
    listed = answer.json()
    assert listed[0] == {
        "label": "Summer '14",
        "url": "/services/data/v31.0",
        "version": "31.0",
    }
    assert listed[-1]["version"] == "68.0"
    assert {"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"} in listed


def test_a_version_lists_its_resources_and_who_asks(served):
    org = served()
    told = org.client.get("/services/data/v40.0").json()
    assert told["sobjects"] == "/services/data/v40.0/sobjects"
    assert "jobs" not in told
    assert told["identity"] == f"{org.server.url}/id/{org.org.id}/{org.org.user.id}"


@pytest.mark.parametrize("path", ["v7.0", "v20.0", "v30.0/sobjects"])
def test_retired_versions_are_gone(served, path):
    answer = served().client.get(f"/services/data/{path}")
    assert answer.status_code == 410
    assert answer.json()[0]["errorCode"] == "GONE"


@pytest.mark.parametrize("path", ["v69.0", "v38", "v6.0", "vX", "v60.5", "v60.0/nothing", "v060.0"])
def test_other_versions_and_unknown_paths_do_not_exist(served, path):
    answer = served().client.get(f"/services/data/{path}")
    assert answer.status_code == 404
    assert answer.json() == [UNKNOWN]


def test_retired_versions_can_be_served(served):
    org = served(settings=Settings(serve_retired=True))
    assert org.client.get("/services/data/v20.0").status_code == 200
    assert org.client.get("/services/data").json()[0]["label"] == "Winter '11"
    warning = org.client.get("/services/data/v30.0/sobjects").headers["Warning"]
    assert warning.startswith('299 - "This API is deprecated and will be removed by ')
    assert "Warning" not in org.client.get("/services/data/v31.0/sobjects").headers


@pytest.mark.parametrize("header", ["", "Bearer x", "Basic abc"])
def test_without_a_live_session_the_answer_is_401(served, header):
    answer = served().client.get("/services/data/v60.0", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json() == [
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    ]


def test_doubled_and_trailing_slashes_are_taken(served):
    org = served()
    assert org.client.get(f"{org.server.url}//services//data/v60.0/").status_code == 200


def test_a_wrong_method_names_the_right_ones(served):
    answer = served().client.put("/services/data/v60.0")
    assert answer.status_code == 405
    assert answer.json()[0] == {
        "message": "HTTP Method 'PUT' not allowed. Allowed are HEAD,GET",
        "errorCode": "METHOD_NOT_ALLOWED",
    }


def test_a_defect_becomes_an_unknown_exception_and_the_server_goes_on(served, monkeypatch, caplog):
    def broken(_org, _request):
        raise RuntimeError("oops")

    org = served()
    monkeypatch.setattr(router, "ROUTES", (*router.ROUTES, Route("GET", "/broken", broken)))
    answer = org.client.get("/services/data/v60.0/broken")
    assert answer.status_code == 500
    assert answer.json()[0]["errorCode"] == "UNKNOWN_EXCEPTION"
    assert "ErrorId" in answer.json()[0]["message"]
    assert "oops" not in answer.text
    assert "oops" in caplog.text
    assert org.client.get("/services/data/v60.0").status_code == 200


def test_a_body_that_is_not_json_is_told_with_its_position(served, monkeypatch):
    def read(_org, request):
        return Response.of_json(request.json())

    org = served()
    monkeypatch.setattr(router, "ROUTES", (Route("POST", "/read", read),))
    answer = org.client.post("/services/data/v60.0/read", content=b'{"a": oops}')
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"
    assert "[line:1, column:7]" in answer.json()[0]["message"]


@pytest.mark.parametrize("path", ["composite", "sobjects/Account"])
def test_json_that_is_nested_too_deeply_is_refused(served, path):
    answer = served().client.post(
        f"/services/data/v60.0/{path}",
        content="[" * 100_000,
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
def test_a_body_of_another_kind_is_refused(served, kind):
    answer = served().client.post(
        "/services/data/v60.0/sobjects/Account",
        content='{"Name": "A"}',
        headers={"Content-Type": kind},
    )
    assert answer.status_code == 415
    assert answer.json()[0]["errorCode"] == "UNSUPPORTED_MEDIA_TYPE"


def test_post_can_stand_for_another_method(served):
    answer = served().client.post("/services/data/v60.0?_HttpMethod=GET")
    assert answer.status_code == 200


def test_json_is_laid_out_on_request(served):
    answer = served().client.get("/services/data/v60.0", headers={"X-PrettyPrint": "1"})
    assert answer.text.startswith("{\n  ")
