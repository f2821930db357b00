"""What surrounds the rows of a CSV file changes none of them."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.sources.open import columns_of, open_source

cells = st.text("a1é€,;\"\n '", max_size=6).map(lambda text: f"v{text}")
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=5)
)
lines = st.lists(st.sampled_from(["Total", "Sum;1", "a, b", "x"]), max_size=3)
blanks = st.sampled_from(["", " ", "\t", "\u00a0"])


def read(source: FileSource, folder: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    (records,) = open_source(source, folder)
    text = io.StringIO(b"".join(records.chunks()).decode(), newline="")
    return records.columns, list(csv.reader(text, delimiter=records.shape.delimiter))


@given(tables, lines, lines, st.lists(blanks, max_size=2), blanks, st.sampled_from(["\n", "\r\n"]))
def test_what_surrounds_rows_changes_none(rows, above, below, ends, around, line_end):
    width = len(rows[0]) if rows else 2
    header = [f"{around}c{number}{around}" for number in range(width)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator=line_end)
    writer.writerows([*([each] for each in above), [*header, *[""] * len(ends)]])
    writer.writerows([*row, *ends] for row in rows)
    text.write(line_end + "".join(f"{each}{line_end}" for each in below) + line_end)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.csv"
        file.write_bytes(text.getvalue().encode())
        shape = FileShape(FileFormat.CSV, delimiter=";", skip_rows=len(above), skip_last=len(below))
        source = FileSource(file, shape)
        columns, found = read(source, Path(folder))
        assert columns == columns_of(source) == tuple(f"c{number}" for number in range(width))
        assert [row[:width] for row in found if row] == rows
