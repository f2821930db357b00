"""Which way of looking up records takes fewer API calls."""

from pathlib import Path

import pytest

from runner.engine.forecast import forecast_of_write
from runner.engine.lookup_cost import BULK_CALLS, KEYS_PER_QUERY, Reading, calls, reading_for
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Api, Verb, WriteTask


@pytest.mark.parametrize(
    ("keys", "records", "reading"),
    [
        (1, 50_000_000, Reading.BY_KEY),
        (KEYS_PER_QUERY * BULK_CALLS, 1, Reading.BY_KEY),
        (10_000, 10_000, Reading.BULK),
        (10_000, 10_000_000, Reading.BY_KEY),
        (1_000_000, 1_000_000, Reading.BULK),
        (1_000_000, None, Reading.BY_KEY),
    ],
)
def test_the_cheaper_way_is_chosen(keys, records, reading):
    assert reading_for(keys, lambda: records) is reading


def test_few_keys_are_not_worth_counting_records():
    def never():
        raise AssertionError

    assert reading_for(KEYS_PER_QUERY * BULK_CALLS, never) is Reading.BY_KEY


def test_calls_grow_with_what_is_read():
    assert calls(Reading.BY_KEY, KEYS_PER_QUERY + 1, 0) == 2
    assert calls(Reading.BULK, 1, 0) == BULK_CALLS + 1
    assert calls(Reading.BULK, 1, 1_000_000) == BULK_CALLS + 20


@pytest.mark.parametrize(("rows", "lookups"), [(800, 2), (1_000_000, BULK_CALLS + 1)])
def test_a_forecast_counts_the_calls_of_the_cheaper_way(rows, lookups):
    task = WriteTask(
        name="a",
        verb=Verb.UPDATE,
        sobject="Account",
        key="ERP_Id__c",
        index=0,
        source=FileSource(Path("a.csv"), FileShape(FileFormat.CSV)),
        api=Api.REST,
    )
    assert forecast_of_write(task, rows, "66.0").api_calls == rows / 200 + lookups
