"""Rows staged in partitions by others are those that one process stages, whatever the partitions.

The others are this process here: what they are told and what they answer travels as JSON.
"""

import math
from contextlib import ExitStack

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import SourceError
from runner.job.choices import Blank, Duplicates
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.runs.fleet.messages import Places
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources import chunks
from runner.tables.staging.duplicates import settle_duplicates
from runner.tables.staging.elsewhere import (
    NotStagedError,
    StagedPartition,
    StagingOrder,
    stage_here,
)
from runner.tables.staging.rows import StagedRows
from tests.luajit_choice import compile_always, compile_never
from tests.short_form import short_form, slow

PARQUET = FileShape(FileFormat.PARQUET)
KEY = MappedColumn("Key__c", "key", required=True, tells_case=False)
COLUMNS = (
    KEY,
    MappedColumn("Name", "upper(name) || '!'", max_length=12),
    MappedColumn("Note__c", "note", max_length=20, is_cut=True),
    MappedColumn("Amount__c", "amount", FieldKind.NUMBER),
    MappedColumn("Day__c", "day", FieldKind.DATE),
)
TYPES = {
    "key": "VARCHAR",
    "name": "VARCHAR",
    "note": "VARCHAR",
    "amount": "DOUBLE",
    "day": "VARCHAR",
}
TEXTS = st.sampled_from(["", "a", "A", "x,y", 'say "x"', "two\nlines", "\ufeffmark", "ü" * 25])
ROWS = st.builds(
    dict,
    key=st.one_of(st.none(), st.sampled_from(["k1", "K1", "k2"]), st.uuids().map(str)),
    name=st.one_of(st.none(), TEXTS),
    note=st.one_of(st.none(), TEXTS),
    amount=st.sampled_from([None, 0.0, 1.5, -1e20, 1e300]),
    day=st.sampled_from([None, "2026-02-28", "2026-02-30", " "]),
)
NOTHING = dict.fromkeys(TYPES)
FILES = st.lists(
    st.lists(st.lists(st.one_of(ROWS, st.just(NOTHING)), max_size=6), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)
"""Files, each of row groups, some of which are empty."""


class Here:
    """Others, who are this process; they may refuse the order of a number."""

    def __init__(self, project, least_rows=1, refuses=None):
        self.least_rows = least_rows
        self.staged = 0
        self._places = Places(project)
        self._refuses = refuses

    def stage(self, orders, folder):
        for order in orders:
            travelled = self._places.encoded(order, safe=False)
            asked = self._places.decoded(StagingOrder, travelled)
            if asked.number == self._refuses:
                raise NotStagedError("it is tired")
            own = folder / f"piece-{asked.number}"
            own.mkdir()
            staged = stage_here(asked, own)
            for name in staged.files:
                (own / name).replace(folder / name)
            self.staged += 1
            yield self._places.decoded(StagedPartition, self._places.encoded(staged, safe=False))


def write(folder, files):
    """Write Parquet files of row groups; every second one has its columns the other way round."""
    with duckdb.connect(config={"threads": 1}) as connection:
        for at, groups in enumerate(files):
            names = list(TYPES)[:: -1 if at % 2 else 1]
            values = [[row[name] for name in names] for rows in groups for row in rows]
            row = f"({', '.join('?' for _ in names)})"
            cells = [
                f"CAST(c{place} AS {TYPES[name]}) AS {name}" for place, name in enumerate(names)
            ]
            given = ", ".join(f"c{place}" for place, _ in enumerate(names))
            tables = [f"(VALUES {', '.join([row] * len(rows))})" for rows in groups if rows]
            tables = tables or [f"(SELECT {', '.join(['NULL'] * len(names))} LIMIT 0)"]
            selects = [f"SELECT {', '.join(cells)} FROM {each} v({given})" for each in tables]
            query = " UNION ALL ".join(selects)  # each becomes a row group
            to = f"TO '{folder}/f{at}.parquet' (FORMAT parquet, ROW_GROUP_SIZE 1)"
            connection.execute(f"COPY ({query}) {to}", [each for row in values for each in row])


def stage(stack, folder, stager=None, columns=COLUMNS, duplicates=Duplicates.FAIL):
    place = folder / ("elsewhere" if stager else "here")
    staging = StagedRows(place)
    stack.callback(staging.discard)
    staging.load(FileSource(folder / "*.parquet", PARQUET), stager)
    staging.map(columns, blank=Blank.KEEP, timezone="Europe/Berlin")
    settle_duplicates(staging, duplicates)
    return staging


def picture(staging):
    """Everything that a run goes by."""
    connection, columns = staging.database.connection, staging.source_columns
    found = {"read": [], "sent": [], "rejected": [], "bytes": b""}
    for chunk in staging.chunks:
        found["read"] += connection.execute(f"FROM {chunk.source_rows(columns)}").fetchall()
        found["sent"] += connection.execute(f"FROM {chunk.sent_rows()} ORDER BY row").fetchall()
        found["bytes"] += chunk.sent_file.read_bytes()
        if chunk.problems:
            rejected = f"FROM {chunk.rejected_rows()} ORDER BY row"
            found["rejected"] += connection.execute(rejected).fetchall()
    counts = (staging.rows_total, staging.rejected_total, staging.truncated_total)
    written = staging.written, staging.notes, staging.files, staging.source_sha256
    return found | {"counts": counts, "skipped": staging.skipped_total, "written": written}


def check(folder, files, keep):
    write(folder, files)
    with ExitStack() as stack:
        stager = Here(folder)
        alone = stage(stack, folder, duplicates=keep)
        together = stage(stack, folder, stager, duplicates=keep)
        assert picture(together) == picture(alone)
        groups = [rows for groups in files for rows in groups if rows]
        assert stager.staged == (len(groups) if len(groups) > 1 else 0)


ROW = NOTHING | {"key": "k1", "name": "ok", "amount": 1.0}
SEVERAL = [
    [[ROW, NOTHING, ROW | {"key": "k2", "day": "2026-02-30"}], [], [NOTHING]],
    [[]],
    [[ROW | {"key": "K1", "name": "x" * 30}], [ROW | {"key": "\ufeffk3", "note": "ü" * 25}]],
]
"""Blank rows, problems, values to cut, a byte order mark, keys that occur in two partitions."""


@pytest.mark.parametrize("keep", short_form([*Duplicates], [Duplicates.LAST]))
def test_rows_are_the_same_in_several_partitions(tmp_path, keep):
    check(tmp_path, SEVERAL, keep)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=FILES, keep=st.sampled_from(Duplicates))
def test_rows_are_the_same_in_any_partitions(tmp_path_factory, files, keep):
    check(tmp_path_factory.mktemp("rows"), files, keep)


@pytest.mark.parametrize("choose", [compile_always, *slow(compile_never)])
def test_rows_of_several_chunks_in_a_partition(tmp_path, monkeypatch, choose):
    choose(monkeypatch)
    monkeypatch.setattr(chunks.cut_chunks, "__defaults__", (1_000,))
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 1_000)
    rows = [NOTHING | {"key": f"k{at}", "name": f"n{at}"} for at in range(300)]
    rows[250]["key"] = "K3"
    rows[120] = NOTHING
    write(tmp_path, [[rows[:100], rows[100:101], rows[101:]]])
    plain = tuple(MappedColumn(each, None) for each in TYPES)
    for columns in (COLUMNS, (KEY, *plain[1:]), plain):
        with ExitStack() as stack:
            alone = stage(stack, tmp_path, columns=columns)
            together = stage(stack, tmp_path, Here(tmp_path, least_rows=300), columns)
            assert picture(together) == picture(alone)
            assert len(together.chunks) > 5
            links = [chunk.is_sent_as_read for chunk in together.chunks]
            assert any(links) == any(chunk.is_sent_as_read for chunk in alone.chunks)


def test_numbers_that_are_none_are_seen_in_all_partitions(tmp_path):
    rows = [NOTHING | {"key": f"k{at}", "amount": 1.0} for at in range(4)]
    rows[3]["amount"] = math.nan
    write(tmp_path, [[rows[:2], rows[2:]]])
    with ExitStack() as stack:
        alone, together = stage(stack, tmp_path), stage(stack, tmp_path, Here(tmp_path))
        assert picture(together) == picture(alone)
        assert together.rejected_total == 1


def test_rows_that_others_cannot_stage_are_staged_here(tmp_path):
    rows = [NOTHING | {"key": f"k{at // 2}"} for at in range(8)]
    write(tmp_path, [[rows[:4], rows[4:6], rows[6:]]])
    with ExitStack() as stack:
        alone = stage(stack, tmp_path)
        together = stage(stack, tmp_path, Here(tmp_path, refuses=1))
        note = "one worker read and mapped all rows: it is tired"
        assert note in together.notes
        pictures = [picture(each) for each in (together, alone)]
        assert all(each.pop("written")[0] for each in pictures)
        assert pictures[0] == pictures[1]


def test_small_sources_and_others_are_staged_here(tmp_path):
    rows = [NOTHING | {"key": f"k{at}"} for at in range(60)]
    write(tmp_path, [[[row] for row in rows]])
    with ExitStack() as stack:
        for least in (61, 60):  # too few rows, and too few of them in a partition
            stager = Here(tmp_path, least)
            pieces = stage(stack, tmp_path, stager).source_sha256
            assert pieces
            assert stager.staged == (0 if least == 61 else 4)


@pytest.mark.parametrize("what", ["replaced", "deleted"])
def test_a_file_that_changes_meanwhile_is_an_error(tmp_path, what):
    rows = [NOTHING | {"key": f"k{at}"} for at in range(4)]
    write(tmp_path, [[rows[:2], rows[2:]]])

    class Changing(Here):
        def stage(self, orders, folder):
            for staged in super().stage(orders, folder):
                (tmp_path / "f0.parquet").unlink()
                if what == "replaced":
                    write(tmp_path, [[rows[2:], rows[:2]]])
                yield staged

    said = "has changed while it was being read" if what == "replaced" else "cannot be read"
    with ExitStack() as stack, pytest.raises(SourceError, match=said):
        stage(stack, tmp_path, Changing(tmp_path))


def test_another_file_or_duckdb_there_is_refused(tmp_path):
    rows = [NOTHING | {"key": f"k{at}"} for at in range(4)]
    write(tmp_path, [[rows[:2], rows[2:]]])
    orders = []

    class Kept(Here):
        def stage(self, wanted, _folder):
            orders.extend(wanted)
            raise NotStagedError("no")
            yield

    with ExitStack() as stack:
        stage(stack, tmp_path, Kept(tmp_path))
    write(tmp_path, [[rows[:2], rows[3:]]])
    (tmp_path / "own").mkdir()
    with pytest.raises(NotStagedError, match=r"f0\.parquet is another one"):
        stage_here(orders[1], tmp_path / "own")
    with pytest.raises(NotStagedError, match="instead of 0"):
        stage_here(msgspec.structs.replace(orders[0], engine="0.1"), tmp_path / "own")


def test_keys_of_which_bytes_tell_are_compared_over_partitions(tmp_path, monkeypatch):
    compile_always(monkeypatch)
    rows = "SELECT 'k' || (CASE range WHEN 399 THEN 7 ELSE range END) AS key, 'n' AS name"
    with duckdb.connect(config={"threads": 1}) as connection:
        selects = [f"{rows} FROM range({start}, {start + 200})" for start in (0, 200)]
        to = f"TO '{tmp_path}/f.parquet' (FORMAT parquet, ROW_GROUP_SIZE 200)"
        connection.execute(f"COPY ({' UNION ALL '.join(selects)}) {to}")
    with ExitStack() as stack:
        stager = Here(tmp_path, least_rows=100)
        columns = (KEY, MappedColumn("name", None))
        staging = stage(stack, tmp_path, stager, columns)
        assert stager.staged > 1
        assert (staging.rows_total, staging.rejected_total) == (400, 1)
