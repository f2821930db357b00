from datetime import UTC, datetime, timedelta

import pytest

from .conftest import DECLARED, Rest

NOON = datetime(2024, 5, 20, 12, 0, 30, tzinfo=UTC)
SPAN = "start=2024-05-20T00%3A00%3A00%2B00%3A00&end=2024-05-20T13:00:00+00:00"


@pytest.fixture
def rest(served):
    return Rest(served(DECLARED, clock=lambda: NOON).client)


def test_changed_records_are_listed_and_deleted_ones_apart(rest):
    kept, gone = rest.create("Account", Name="A"), rest.create("Account", Name="B")
    rest.delete(f"/sobjects/Account/{gone}")
    assert rest.get(f"/sobjects/Account/updated/?{SPAN}").json() == {
        "ids": [kept],
        "latestDateCovered": "2024-05-20T12:00:30.000+0000",
    }
    deleted = rest.get(f"/sobjects/Account/deleted/?{SPAN}").json()
    assert deleted["deletedRecords"] == [
        {"id": gone, "deletedDate": "2024-05-20T12:00:30.000+0000"}
    ]
    assert deleted["earliestDateAvailable"] == "2024-05-05T12:00:30.000+0000"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-05-20T00:00:00Z", "2024-05-20T00:00:59Z"),
        ("2024-05-20T02:00:00Z", "2024-05-20T01:00:00Z"),
        ("2024-04-01T00:00:00Z", "2024-05-20T01:00:00Z"),
        ("yesterday", "2024-05-20T01:00:00Z"),
        ("", ""),
    ],
)
def test_a_bad_span_is_refused(rest, start, end):
    answer = rest.get(f"/sobjects/Account/updated?start={start}&end={end}")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")


def test_a_span_without_changes_is_empty(rest):
    start = (NOON - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    end = (NOON - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert rest.get(f"/sobjects/Account/updated?start={start}&end={end}").json()["ids"] == []


def test_deletions_are_listed_and_kept_in_the_bin_for_fifteen_days(served):
    moments = [NOON]
    rest = Rest(served(DECLARED, clock=lambda: moments[-1]).client)
    gone = rest.create("Account", Name="A")
    rest.delete(f"/sobjects/Account/{gone}")
    before = (NOON - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def seen():
        end = moments[-1].strftime("%Y-%m-%dT%H:%M:%SZ")
        listed = rest.get(f"/sobjects/Account/deleted?start={before}&end={end}")
        binned = rest.get("/queryAll?q=SELECT+COUNT()+FROM+Account+WHERE+IsDeleted=true")
        changed = rest.patch(f"/sobjects/Account/{gone}", {"Name": "B"})
        found = [each["id"] for each in listed.json()["deletedRecords"]]
        return found, binned.json()["totalSize"], changed.json()[0]["errorCode"]

    moments.append(NOON + timedelta(days=14))
    assert seen() == ([gone], 1, "ENTITY_IS_DELETED")
    moments.append(NOON + timedelta(days=16))
    assert seen() == ([], 0, "INVALID_CROSS_REFERENCE_KEY")
