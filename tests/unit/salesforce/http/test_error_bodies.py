import json

import pytest
from msgspec.structs import replace

from runner.errors import ExitCode, LimitError, OrgError, TransientError, UnexpectedAnswerError
from runner.salesforce.http.error_bodies import error_of, faults_of
from runner.salesforce.http.messages import OrgResponse


def answered(status, body, headers=None, tries=1):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OrgResponse(status, headers or {}, content, tries=tries)


def test_the_array_of_the_rest_api():
    error = error_of(
        answered(
            400,
            [
                {
                    "message": "Required fields are missing: [Name]",
                    "errorCode": "REQUIRED_FIELD_MISSING",
                    "fields": ["Name"],
                }
            ],
        )
    )
    assert type(error) is OrgError
    assert error.message == "REQUIRED_FIELD_MISSING: Required fields are missing: [Name]"
    assert (error.status, error.code, error.fields) == (400, "REQUIRED_FIELD_MISSING", ("Name",))
    assert error.exit_code is ExitCode.FAILED


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "expired"},
            "invalid_grant",
            "expired",
        ),
        (400, {"exceptionCode": "InvalidBatch", "exceptionMessage": "m"}, "InvalidBatch", "m"),
        (
            200,
            {"statusCode": "DUPLICATE_VALUE", "message": "m", "fields": []},
            "DUPLICATE_VALUE",
            "m",
        ),
        (
            400,
            (
                b'<?xml version="1.0"?><error xmlns="x"><exceptionCode>InvalidJob</exceptionCode>'
                b"<exceptionMessage>a &lt; b</exceptionMessage></error>"
            ),
            "InvalidJob",
            "a < b",
        ),
        (403, b"Bad_OAuth_Token", "Bad_OAuth_Token", "Bad_OAuth_Token"),
        (400, [{"errorCode": "X"}], "X", "X"),
    ],
)
def test_other_forms_of_complaint(status, body, code, message):
    fault = faults_of(answered(status, body))[0]
    assert (fault.code, fault.message) == (code, message)


def test_an_excerpt_of_the_query_begins_on_a_line_of_its_own():
    """So that nothing before it moves it away from its caret."""
    excerpt = "SELECT Id,\tNam FROM Account\n           ^\nERROR at Row:1:Column:12"
    error = error_of(answered(400, [{"message": f"\n{excerpt}", "errorCode": "INVALID_FIELD"}]))
    first, line, caret, _ = error.message.split("\n")
    assert first == "INVALID_FIELD:"
    assert line[caret.index("^") :].startswith("Nam")


def test_an_ambiguous_external_id_has_the_code_that_collections_give_it():
    error = error_of(
        answered(300, ["/services/data/v66.0/sobjects/A/1", "/services/data/v66.0/sobjects/A/2"])
    )
    assert error.code == "DUPLICATE_EXTERNAL_ID"
    assert "2 records" in error.message


@pytest.mark.parametrize(
    "body", [b"", b"<html><title>Down for\nmaintenance</title></html>", b"[", b"[]", b"[1]", b"{}"]
)
def test_a_body_of_no_api_with_a_server_status_is_transient(body):
    error = error_of(answered(503, body))
    assert type(error) is TransientError
    assert error.exit_code is ExitCode.TEMPORARY
    assert error.message.startswith("503 Service Unavailable with")
    assert error.hint


def test_a_web_page_is_named_by_its_title():
    error = error_of(answered(404, b"<html><head><title>Example &amp; Co</title></head></html>"))
    assert isinstance(error, UnexpectedAnswerError)
    assert "'Example & Co'" in error.message


def test_a_redirect_says_that_no_token_is_taken_there():
    error = error_of(answered(302, b"", {"location": "https://elsewhere.example/?sid=canary"}))
    assert isinstance(error, UnexpectedAnswerError)
    assert "canary" not in error.message
    assert "sign in again" in (error.hint or "")


def test_an_unknown_status_is_told_as_a_number():
    assert error_of(answered(420, b"")).message.startswith("420 with an empty body")


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", LimitError),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (…) Limit exceeded.", TransientError),
        (403, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", LimitError),
        (400, "EXCEEDEDQUOTA", "x", LimitError),
        (
            400,
            "API_ERROR",
            "Max bulk v2 query jobs (10000) per 24 hrs has been reached",
            LimitError,
        ),
        (503, "SERVER_UNAVAILABLE", "Server too busy", TransientError),
        (403, "API_DISABLED_FOR_ORG", "x", OrgError),
        (404, "NOT_FOUND", "x", OrgError),
    ],
)
def test_the_kind_of_error_says_whether_it_may_work_later(status, code, message, kind):
    error = error_of(answered(status, [{"errorCode": code, "message": message}]))
    assert type(error) is kind
    assert error.hint or code == "NOT_FOUND"


def test_repeated_tries_are_told():
    assert error_of(answered(503, b"", tries=6)).message.endswith("(tried 6 times)")


def test_a_refusal_names_its_request_and_what_it_is_for():
    """An emulator may lack any request of Salesforce's API, and says no more than this."""
    answer = OrgResponse(
        404,
        {},
        b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]',
        request="GET /services/data",
    )
    error = error_of(answer)
    assert error.message == (
        "NOT_FOUND: The requested resource does not exist"
        " (GET /services/data, which lists the API versions)"
    )
    assert "not Salesforce" in (error.hint or "")
    assert error_of(replace(answer, headers={"server": "sfdcedge"})).hint is None


@pytest.mark.parametrize(
    ("request_", "purpose"),
    [
        ("GET /services/data/v66.0/sobjects/Account/describe", "describes an object"),
        ("GET /services/data/v66.0/queryAll", "runs a query"),
        ("GET /services/data/v66.0/query/01g-2000", "returns the next page of a query"),
        ("PATCH /services/data/v66.0/composite/sobjects/Account/E__c", "upserts records"),
        ("PATCH /services/data/v66.0/sobjects/Account/001", "updates a record"),
        ("PATCH /services/data/v66.0/sobjects/Account/E__c/a", "upserts a record"),
        ("POST /services/data/v66.0/jobs/ingest", "creates a Bulk API 2.0 job"),
        ("PUT /services/data/v66.0/jobs/ingest/750/batches", "uploads rows to a Bulk API 2.0 job"),
        ("GET /services/data/v66.0/jobs/query/750", "returns the state of a Bulk API 2.0 job"),
        ("POST /services/oauth2/token", "returns an access token"),
    ],
)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"404 page not found"),
        (404, b"<html><title>Not Found</title></html>"),
        (405, b'{"message":"no","errorCode":"METHOD_NOT_ALLOWED"}'),
        (501, b""),
        (500, b'{"error":"not implemented"}'),
    ],
)
def test_every_form_of_refusal_names_it(request_, purpose, status, body):
    error = error_of(OrgResponse(status, {}, body, request=request_))
    assert f"({request_}, which {purpose})" in error.message


def test_what_explains_itself_is_not_made_longer():
    excerpt = "SELECT Nam\n       ^\nERROR at Row:1:Column:8\nNo such column"
    asked = "GET /services/data/v66.0/query"
    for code, message in (("INVALID_FIELD", excerpt), ("REQUEST_LIMIT_EXCEEDED", "TotalRequests")):
        answer = answered(403, [{"errorCode": code, "message": message}])
        assert asked not in error_of(replace(answer, request=asked)).message
