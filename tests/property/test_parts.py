"""However a source is cut, no part is too large and no row is lost, doubled or moved."""

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources import chunks
from runner.tables.staging.parts import Part
from runner.tables.staging.rows import StagedRows
from tests.short_form import sampled

cells = st.text(st.sampled_from('ab"\n,\r é😀'), max_size=12)
quantities = st.sampled_from(["1", "22", "1e2", "lots", ""])


def csv_bytes(rows) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return stream.getvalue().encode()


def read(part: Part) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(part.content.pieces()).decode(), newline="")))


@sampled(15)
@given(
    rows=st.lists(st.tuples(cells, quantities), max_size=60),
    max_bytes=st.integers(100, 600),
    max_rows=st.one_of(st.none(), st.integers(1, 20)),
)
def test_parts_hold_every_sendable_row_once_and_never_too_much(rows, max_bytes, max_rows):
    numbered = [(str(n), *row) for n, row in enumerate(rows, start=1)]
    wanted = [n for n, _, quantity in numbered if quantity != "lots"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "source.csv").write_bytes(csv_bytes([("n", "text", "quantity"), *numbered]))
        staging = StagedRows(folder / "staging")
        staging.load(FileSource(folder / "source.csv", FileShape(FileFormat.CSV)))
        number = MappedColumn("quantity", None, FieldKind.NUMBER)
        staging.map([MappedColumn("n", None), MappedColumn("text", None), number])
        parts = list(staging.parts(folder / "parts", max_bytes, max_rows))
        contents = [read(part)[1:] for part in parts]
        staging.discard()
    assert [row[0] for content in contents for row in content] == wanted
    for part, content in zip(parts, contents, strict=True):
        assert part.rows == len(content)
        assert part.content.length <= max_bytes
        assert max_rows is None or part.rows <= max_rows
        assert part.first_row <= int(content[0][0]) <= int(content[-1][0]) <= part.last_row


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=40),
    block=st.integers(1, 50),
    size=st.integers(1, 200),
)
def test_chunks_end_where_a_record_ends(rows, block, size):
    content = csv_bytes(rows)
    blocks = (content[at : at + block] for at in range(0, len(content), block))
    pieces = list(chunks.cut_chunks(blocks, b'"', size))
    assert b"".join(pieces) == content
    again = [row for piece in pieces for row in csv.reader(io.StringIO(piece.decode(), newline=""))]
    assert again == list(csv.reader(io.StringIO(content.decode(), newline="")))
