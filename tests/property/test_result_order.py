"""Results find their rows in whatever order they come, and the files are the same."""

import csv
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.job.endpoints import FileSource
from runner.outcome import RowStatus
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.results.bulk_results import ResultFiles
from runner.tables.results.row_results import RowResults
from runner.tables.sources.csv import PLAIN_CSV
from runner.tables.staging.rows import StagedRows
from tests.short_form import sampled

STATUSES = (RowStatus.SUCCEEDED, RowStatus.FAILED, RowStatus.UNPROCESSED)
NAMES = st.sampled_from(("a", "", "x,\ny", "É"))
"""Without `#N/A`, which is the same as a blank to the org."""
ERRORS = (
    "BAD:no {}:--",
    "BAD:no {}:Name --",
    'REQUIRED_FIELD_MISSING:a: "b",\nc: {}:A B--',
    "TWICE:",
    "no form {}",
    "",
)
statuses = st.sampled_from((*STATUSES, RowStatus.SUCCEEDED, RowStatus.SUCCEEDED))


def answers(folder, sent, ends, header) -> ResultFiles:
    """The org's files for rows sent, each in their order."""
    said = {
        RowStatus.SUCCEEDED: ("sf__Id", "sf__Created"),
        RowStatus.FAILED: ("sf__Id", "sf__Error"),
        RowStatus.UNPROCESSED: (),
    }
    files = []
    for status, added in said.items():
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow([*added, *header])
        for at, row in sent:
            if ends[at] is status:
                error = ERRORS[at % len(ERRORS)].format(at)
                told = {"sf__Id": f"001{at}", "sf__Created": "true", "sf__Error": error}
                writer.writerow([*(told[each] for each in added), *row])
        files.append(folder / f"{status}-answer.csv")
        files[-1].write_text(text.getvalue(), encoding="utf-8", newline="")
    return ResultFiles(*files)


@pytest.mark.parametrize("keyed", [True, False])
@given(rows=st.lists(st.tuples(NAMES, statuses), min_size=1, max_size=9), seed=st.integers())
@sampled(6)
def test_order_changes_nothing(tmp_path_factory, keyed, rows, seed):
    folder = tmp_path_factory.mktemp("order")
    columns = [
        MappedColumn("Key__c", "k", required=keyed),
        MappedColumn("Name", "a"),
        MappedColumn("Sum__c", "n", FieldKind.NUMBER),
    ]
    # Without a key, rows of the same content are the same row to the org.
    sent = [(f"k{at if keyed else at // 2}", name, "1") for at, (name, _) in enumerate(rows)]
    ends = [status for _, status in rows]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([("k", "a", "n"), *sent])
    (folder / "source.csv").write_text(written.getvalue(), encoding="utf-8", newline="")
    shuffled = list(enumerate(sent))
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - the same each time
    found = []
    for order in (list(enumerate(sent)), shuffled):
        staging = StagedRows(folder / "staging")
        staging.load(FileSource(folder / "source.csv", PLAIN_CSV))
        staging.map(columns)
        results = RowResults(staging)
        (part,) = list(staging.parts(folder / "parts"))
        files = answers(folder, order, ends, ("Key__c", "Name", "Sum__c"))
        results.add_part(results.match(part, files, "750x"))
        results.write_files(folder)
        found.append([(folder / f"{status}.csv").read_bytes() for status in STATUSES])
        staging.discard()
    in_order, in_any = found
    if keyed or len(set(sent)) == len(sent):
        assert in_order == in_any
    else:  # each result is of one of the equal rows
        assert list(map(_own_cells, in_order)) == list(map(_own_cells, in_any))


def _own_cells(content: bytes) -> list[list[str]]:
    return sorted(row[:3] for row in csv.reader(io.StringIO(content.decode(), newline="")))
