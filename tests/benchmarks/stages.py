"""Where the time of a Bulk ingest goes on this side of the wire: its stages, without an org.

    python -m tests.benchmarks.stages [--rows 1000000]

Prints seconds on the clock, seconds of CPU, and the peak of memory so far for each stage.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.engine.bulk import PART_BYTES
from runner.job.endpoints import FileSource
from runner.job.model import Verb
from runner.parallel import parallel_map
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.results.bulk_results import ResultFiles
from runner.tables.results.row_results import RowResults
from runner.tables.sources.csv import PLAIN_CSV
from runner.tables.staging.parts import Part
from runner.tables.staging.rows import StagedRows
from tests.benchmarks import rows
from tests.benchmarks.works import THREE_EXPRESSIONS

_KINDS = {
    "AnnualRevenue": FieldKind.NUMBER,
    "NumberOfEmployees": FieldKind.INTEGER,
    "Active__c": FieldKind.BOOLEAN,
    "Founded__c": FieldKind.DATE,
}


def main() -> None:
    """Go through the stages with as many rows as the command line says."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.stages")
    reader.add_argument("--rows", type=int, default=100_000)
    count = reader.parse_args().rows
    sys.stdout.write(
        f"| stage of {count:,} rows | wall | CPU | peak memory |\n|---|---:|---:|---:|\n"
    )
    with tempfile.TemporaryDirectory(prefix="stages-") as scratch:
        _go_through(Path(scratch), count)


def _go_through(folder: Path, count: int) -> None:
    rows.write(folder / "source.csv", rows.SOURCE, map(rows.source, range(count)))
    columns = [
        MappedColumn(name, told, _KINDS.get(name, FieldKind.TEXT), required=name == "ERP_Id__c")
        for name, told in THREE_EXPRESSIONS.items()
    ]
    staging = StagedRows(folder / "staging")
    with _stage("read, map and check the rows"):
        staging.load(FileSource(folder / "source.csv", PLAIN_CSV))
        staging.map(columns)
    results = RowResults(staging, verb=Verb.UPSERT)
    with _stage("cut the parts"):
        parts = list(staging.parts(folder / "parts", PART_BYTES))
    answers = [_answers(folder, part) for part in parts]
    with _stage("match the results to their rows"):
        pairs = zip(parts, answers, strict=True)
        for match in parallel_map(lambda pair: results.match(*pair, "750x"), pairs):
            results.add_part(match)
    with _stage("write the result files"):
        results.write_files(folder / "results")
    staging.discard()


def _answers(folder: Path, part: Part) -> ResultFiles:
    """What the org would say of a part."""
    files = {}
    for name, said in (("succeeded", "sf__Created"), ("failed", "sf__Error")):
        files[name] = folder / f"{name}-{part.index}.csv"
        with files[name].open("w", encoding="utf-8", newline="") as out:
            out.write(rows.quoted(("sf__Id", said, *rows.WRITTEN)))
            for i in range(part.first_row - 1, part.last_row):
                if rows.fails(i) == (name == "failed"):
                    told = ("", rows.ERROR) if rows.fails(i) else (rows.id_of(i), "true")
                    out.write(rows.quoted((*told, *rows.written(i))))
    return ResultFiles(files["succeeded"], files["failed"], None)


@contextmanager
def _stage(name: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1_000_000
    sys.stdout.write(f"| {name} | {wall:.2f} s | {cpu:.2f} s | {peak} MB |\n")


if __name__ == "__main__":
    main()
