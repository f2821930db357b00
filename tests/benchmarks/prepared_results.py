"""What the benchmarks' org says of the rows of an ingest, prepared before any clock runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import rows
from tests.benchmarks.rows import Prepared
from tests.benchmarks.shapes import PLAIN, Shape, shape_of

_WINDOW = 1 << 15


@dataclass(frozen=True, slots=True)
class Upload:
    """The rows that one ingest job was given."""

    shape: Shape
    first: int
    end: int
    failed: int = 0
    """How many of them the org refuses."""


@dataclass(frozen=True, slots=True)
class RowResults:
    """Of all rows of a shape, in their order."""

    succeeded: Prepared
    failed: Prepared


def upload_of(file: Path) -> Upload:
    """Which rows a file holds: clients send them in the source's order."""
    with file.open("rb") as stream:
        head = stream.read(_WINDOW)
        stream.seek(max(0, file.stat().st_size - _WINDOW))
        tail = stream.read() + b"\n"
    shape = shape_of(head)
    first, end = shape.span(head, tail)
    return Upload(shape, first, end, sum(map(shape.fails, range(first, end))))


def row_results(folder: Path, shape: Shape, count: int) -> RowResults:
    """What Bulk API 2.0 says of each row."""
    return RowResults(
        rows.prepare(folder / f"succeeded-{shape.name}.csv", _told(shape, count, failed=False)),
        rows.prepare(folder / f"failed-{shape.name}.csv", _told(shape, count, failed=True)),
    )


def _told(shape: Shape, count: int, *, failed: bool) -> Iterator[str]:
    """A line for each row with this outcome; nothing for the others."""
    for i in range(count):
        if shape.fails(i) is not failed:
            yield ""
            continue
        said = f'"","{rows.ERROR}",' if failed else f'"{rows.id_of(i)}","true",'
        yield said + rows.quoted(shape.written(i // shape.copies))


def batch_results(folder: Path, count: int) -> Prepared:
    """What Bulk API 1.0 says of each row: not its values."""
    texts = (
        rows.quoted(("", "false", "false", rows.ERROR))
        if PLAIN.fails(i)
        else rows.quoted((rows.id_of(i), "true", "true", ""))
        for i in range(count)
    )
    return rows.prepare(folder / "batch-results.csv", texts)
