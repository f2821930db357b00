import pytest

from runner.errors import UnexpectedAnswerError, UsageError
from runner.salesforce.versions import Feature, choose, require, served, supports

SERVED = [f"{number}.0" for number in range(31, 69)]


def test_a_default_that_is_still_served_stays():
    assert choose(None, ["20.0", "66.0"]) == "20.0"


def test_a_retired_default_is_lifted_to_the_newest_that_both_know():
    assert choose(None, SERVED) == "68.0"
    assert choose(None, [*SERVED, "69.0"]) == "68.0"
    assert choose(None, ["31.0", "9.0", "58.0"]) == "58.0"


def test_a_written_version_is_never_moved():
    assert choose("58.0", SERVED) == "58.0"
    assert choose("58", SERVED) == "58.0"
    assert choose("69.0", [*SERVED, "69.0"]) == "69.0"


def test_a_written_version_that_is_not_served_names_what_is():
    with pytest.raises(UsageError, match=r"20\.0: it serves 31\.0 to 68\.0"):
        choose("20.0", SERVED)


def test_an_org_newer_than_this_release_says_so():
    with pytest.raises(UsageError, match="supports versions up") as caught:
        choose(None, ["69.0", "70.0"])
    assert caught.value.hint == "Update the runner."


@pytest.mark.parametrize(
    ("version", "feature", "has"),
    [
        ("40.0", Feature.BULK_INGEST, False),
        ("41.0", Feature.BULK_INGEST, True),
        ("42.0", Feature.COLLECTIONS, True),
        ("45.0", Feature.COLLECTIONS_UPSERT, False),
        ("47.0", Feature.BULK_QUERY, True),
        ("20.0", Feature.COLLECTIONS, False),
    ],
)
def test_what_a_version_can_do(version, feature, has):
    assert supports(version, feature) is has


def test_a_missing_feature_names_the_version_that_has_it():
    with pytest.raises(UsageError, match=r"Bulk ingest needs API version 41\.0"):
        require("40.0", Feature.BULK_INGEST, "Bulk ingest")


def test_the_org_is_asked_without_a_version(world):
    world.session.api_version = None
    world.org.say(
        200, [{"label": "x", "url": "/services/data/v9.0", "version": "9.0"}, {"version": "66.0"}]
    )
    assert served(world.session) == ("9.0", "66.0")
    assert world.org.paths() == ["GET /services/data"]


def test_an_org_without_versions_is_unexpected(world):
    world.org.say(200, [])
    with pytest.raises(UnexpectedAnswerError):
        served(world.session)
