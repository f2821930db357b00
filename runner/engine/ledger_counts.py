"""What became of a write's rows as far as the ledger says, where their files are gone.

Results of rows are joined to the rows in the run's folder. If somebody deletes those, or the disk
fails, the ledger still has what was sent and what the org answered. Knows the lines of a task.
Knows nothing of the files of rows.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from runner.csv_rows import csv_dicts
from runner.engine.next_step import COLLECTED
from runner.engine.task_ledger import ANSWERED, SENT, Collected, known_results, rows_of
from runner.job.model import Verb
from runner.outcome import Counts, RowStatus
from runner.salesforce.bulk.ingest import ResultSet
from runner.state.run_records import PartRecord
from runner.tables.staging.rows import StagedRows

_WORDS = {
    Verb.CREATE: "created",
    Verb.DELETE: "deleted",
    Verb.UNDELETE: "undeleted",
    Verb.MERGE: "merged",
}


class _Part(Struct):
    """Rows of one part, over all its attempts."""

    created: int = 0
    succeeded: int = 0
    failed: int = 0
    in_doubt: int = 0


def counts_of(lines: Iterable[PartRecord], staging: StagedRows, verb: Verb, folder: Path) -> Counts:
    """Count a write's rows.

    Args:
        lines: Of the task.
        staging: Its rows.
        verb: What it does.
        folder: Of the result sets of its Bulk jobs, which tell new records from others.
    """
    by_part: defaultdict[int, list[PartRecord]] = defaultdict(list)
    for line in lines:
        by_part[line.part].append(line)
    parts = [_counted(sorted(each, key=_attempt), folder) for each in by_part.values()]
    succeeded = sum(each.succeeded for each in parts)
    created = succeeded if verb is Verb.CREATE else sum(each.created for each in parts)
    left_out = staging.skipped_total + staging.unchanged_total
    failed = sum(each.failed for each in parts) + staging.rejected_total - left_out
    in_doubt = sum(each.in_doubt for each in parts)
    done = succeeded + failed + in_doubt + left_out
    counts = {"created": created}
    if verb is not Verb.CREATE:
        counts[_WORDS.get(verb, "updated")] = succeeded - created
    return Counts(
        read=staging.rows_total,
        unchanged=staging.unchanged_total,
        skipped=staging.skipped_total,
        failed=failed,
        in_doubt=in_doubt,
        unprocessed=staging.rows_total - done,
        truncated=staging.truncated_total,
        **counts,
    )


def _attempt(line: PartRecord) -> int:
    return line.attempt


def _counted(attempts: Sequence[PartRecord], folder: Path) -> _Part:
    """A row that is sent again has the result of the last attempt."""
    last, rows = attempts[-1], attempts[0].rows or 0
    found = _Part()
    for each in attempts:
        known = known_results(each) or (0, 0)
        found.succeeded += known[0]
        found.created += _created(each, folder)
    if last.state in {SENT, ANSWERED}:
        answers = [row.status for row in rows_of(last.results)] if last.results else []
        found.succeeded = answers.count(RowStatus.SUCCEEDED)
        found.failed = answers.count(RowStatus.FAILED)
        listed = answers.count(RowStatus.IN_DOUBT)
        found.in_doubt = rows - found.succeeded - found.failed if last.state == SENT else listed
        return found
    if last.state == COLLECTED:
        unprocessed = (last.rows or 0) - sum(known_results(last) or (0, 0))
    elif last.bulk_job_id is not None:
        found.in_doubt, unprocessed = last.rows or 0, 0
    else:
        unprocessed = last.rows or 0
    found.failed = max(0, rows - found.succeeded - found.in_doubt - unprocessed)
    return found


def _created(line: PartRecord, folder: Path) -> int:
    """How many rows of a part are new records, as far as its results say."""
    if not line.results:
        return 0
    if line.state in {SENT, ANSWERED}:
        return sum(row.created is True for row in rows_of(line.results))
    name = json.loads(line.results)["files"].get(ResultSet.SUCCEEDED.name)
    if name is None or Collected.read(line.results, folder) is None:
        return 0
    with (folder / name).open(encoding="utf-8", newline="") as rows:
        return sum(row.get("sf__Created") == "true" for row in csv_dicts(rows))
