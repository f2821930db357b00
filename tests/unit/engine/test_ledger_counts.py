"""The counts of a write by the ledger alone: no row is told to be untouched that may be written."""

import json
from types import SimpleNamespace

import pytest

from runner.engine.ledger_counts import counts_of
from runner.engine.task_ledger import rows_text
from runner.job.model import Verb
from runner.outcome import RowResult, RowStatus
from runner.state.run_records import PartRecord

STAGED = SimpleNamespace(
    rows_total=30, rejected_total=5, skipped_total=1, unchanged_total=2, truncated_total=0
)
"""25 rows to send, 2 that failed on this machine."""


def collected(number, rows, processed, failed, *, attempt=0, file=None):
    info = {"id": "750A", "state": "JobComplete", "processed": processed, "failed": failed}
    files = {"SUCCEEDED": file, "FAILED": None, "UNPROCESSED": None}
    results = json.dumps({"info": info, "files": files})
    return PartRecord(number, "collected", attempt, rows=rows, bulk_job_id="750A", results=results)


def sent(number, rows, state, **results):
    """A batch, and how many of its rows have which status; created means succeeded and new."""
    statuses = [RowStatus(name) for name, times in results.items() for _ in range(times)]
    text = rows_text(
        RowResult(row, status, "001A", created=status is RowStatus.SUCCEEDED and row % 2 == 0)
        for row, status in enumerate(statuses)
    )
    return PartRecord(number, state, rows=rows, results=text if statuses else None)


NOTHING = {"created": 0, "failed": 2, "in_doubt": 0, "unprocessed": 25}
CASES = {
    "nothing was sent": ([], NOTHING),
    "a part without a job": ([PartRecord(1, "intended", rows=25)], NOTHING),
    "a job at work": (
        [PartRecord(1, "InProgress", rows=20, bulk_job_id="750A")],
        {**NOTHING, "in_doubt": 20, "unprocessed": 5},
    ),
    "collected": (
        [collected(1, 20, 20, 3)],
        {"created": 17, "failed": 5, "in_doubt": 0, "unprocessed": 5},
    ),
    "a job that left rows": (
        [collected(1, 20, 12, 3)],
        {"created": 9, "failed": 5, "in_doubt": 0, "unprocessed": 13},
    ),
    "rows sent again, all done": (
        [collected(1, 25, 20, 3), collected(1, 8, 8, 1, attempt=1)],
        {"created": 24, "failed": 3, "in_doubt": 0, "unprocessed": 0},
    ),
    "rows being sent again": (
        [collected(1, 25, 20, 3), PartRecord(1, "Open", 1, rows=5, bulk_job_id="750B")],
        {"created": 17, "failed": 5, "in_doubt": 5, "unprocessed": 0},
    ),
    "batches": (
        [
            sent(0, 10, "answered", succeeded=8, failed=2),
            sent(1, 10, "sent", succeeded=4, failed=1),
        ],
        {"created": 12, "failed": 5, "in_doubt": 5, "unprocessed": 5},
    ),
    "a batch with rows that nobody can find": (
        [sent(0, 10, "answered", succeeded=7, in_doubt=3)],
        {"created": 7, "failed": 2, "in_doubt": 3, "unprocessed": 15},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_row_is_counted_once(name, tmp_path):
    lines, expected = CASES[name]
    counts = counts_of(reversed(lines), STAGED, Verb.CREATE, tmp_path)
    assert {each: getattr(counts, each) for each in expected} == expected
    assert (counts.read, counts.skipped, counts.unchanged) == (30, 1, 2)
    assert sum(expected.values()) == 27


def test_new_records_are_told_from_others_where_results_say_so(tmp_path):
    (tmp_path / "part.csv").write_text('"sf__Id","sf__Created"\n"1","true"\n"2","false"\n')
    lines = [collected(1, 20, 2, 0, file="part.csv"), sent(2, 5, "answered", succeeded=5)]
    counts = counts_of(lines, STAGED, Verb.UPSERT, tmp_path)
    assert (counts.created, counts.updated) == (1 + 3, 1 + 2)
    (tmp_path / "part.csv").unlink()
    assert counts_of(lines, STAGED, Verb.UPSERT, tmp_path).updated == 2 + 2
    assert counts_of(lines, STAGED, Verb.DELETE, tmp_path).deleted == 2 + 2
