"""A job's own word on which row errors are worth another try."""

from runner.salesforce.http.retry_table import Action, row_decision

OWN = {"add": ("MY_RULE",), "ignore": ("UNABLE_TO_LOCK_ROW", "STORAGE_LIMIT_EXCEEDED")}


def test_codes_are_added_and_ignored():
    assert row_decision("MY_RULE", "").action is Action.FAIL
    assert row_decision("MY_RULE", "", **OWN).action is Action.SPLIT
    assert row_decision("UNABLE_TO_LOCK_ROW", "").action is Action.SPLIT
    assert row_decision("UNABLE_TO_LOCK_ROW", "", **OWN).action is Action.FAIL


def test_what_ends_the_run_cannot_be_ignored():
    assert row_decision("STORAGE_LIMIT_EXCEEDED", "", **OWN).action is Action.STOP
