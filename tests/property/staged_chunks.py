"""Rows staged in the fast way or in the slow one, and all that is known of them."""

import tempfile
from pathlib import Path

from msgspec.structs import replace
from pytest import MonkeyPatch  # noqa: PT013 - hypothesis takes no fixture

from runner.job.choices import Duplicates
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources import chunks
from runner.tables.staging import chunk_mapping
from runner.tables.staging.chunk_mapping import ChunkMapper
from runner.tables.staging.duplicates import settle_duplicates
from runner.tables.staging.read_chunk import KnownChunks
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.splicing import Splicer

FIELDS = (
    MappedColumn("k", None, required=True, tells_case=False),
    MappedColumn("text", None, max_length=12),
    MappedColumn("sum", None, FieldKind.NUMBER),
    MappedColumn("ok", None, FieldKind.BOOLEAN),
    MappedColumn("day", None, FieldKind.DATE),
    MappedColumn("at", None, FieldKind.DATETIME),
    MappedColumn("count", None, FieldKind.INTEGER),
    MappedColumn("parent", None, FieldKind.ID, id_prefix="001"),
    MappedColumn("clock", None, FieldKind.TIME),
)
USUAL = (
    "Acme",
    "12.5",
    "true",
    "2026-01-31",
    "2026-01-31T08:00:00.000Z",
    "7",
    "001000000000001",
    "08:00:00.000Z",
)
ODD = {
    "k": ("", " k", "#N/A", "K1", "k1", '"k,1"'),
    "text": (
        *("", " ", "a", "é", "#", "#N/A", "much too long", "\ufeff"),
        *('"a,b"', '"say ""x"""', '"x\ny"', '"a"', '"#"'),
    ),
    "sum": ("", "1.50", "007", "1e3", "lots", '"1"'),
    "ok": ("", "true", "yes", "maybe"),
    "day": ("", "2024-02-29", "2023-02-29", "2024-1-1", "soon"),
    "at": ("", "2024-02-29T23:59:59.999Z", "2024-02-30T00:00:00.000Z", "2024-01-01"),
    "count": ("", "-0", "1234567890123456789", "1.0"),
    "parent": ("", "001000000000001", "003000000000001"),
    "clock": ("", "23:59:59.000Z", "24:00:00.000Z", "8:00"),
}


def staged(content, fields, blank, *, is_fast, knows_keys=True, with_nan=()):
    """How many chunks were only looked at, and everything that is known of the rows.

    Without `knows_keys`, DuckDB looks at keys. Columns in `with_nan` are floating point numbers,
    some of which are none.
    """
    together = 0
    original = ChunkMapper._link  # noqa: SLF001 - counted, not replaced

    def link(mapper, read):
        nonlocal together
        together += 1
        return original(mapper, read)

    with tempfile.TemporaryDirectory() as name, MonkeyPatch.context() as patch:
        patch.setattr(chunks, "_BLOCK_BYTES", 400)
        patch.setattr(chunks.cut_chunks, "__defaults__", (400,))
        patch.setattr(chunk_mapping, "_COLUMNS_AT_ONCE", 2)
        patch.setattr(chunk_mapping, "_SAMPLED_FROM", 0)
        patch.setattr(ChunkMapper, "_link", link)
        if not (is_fast and knows_keys):
            patch.setattr(KnownChunks, "may_come", False)
            patch.setattr(ChunkMapper, "_splice_alone", lambda *_: None)
        if not is_fast:
            patch.setattr(ChunkMapper, "_pass_on_together", lambda *_: [])
            patch.setattr(ChunkMapper, "_pass_on", lambda *_: None)
            patch.setattr(ChunkMapper, "_splice", lambda *_: None)
        folder = Path(name)
        (folder / "source.csv").write_text(content, encoding="utf-8", newline="")
        staging = StagedRows(folder / "staging")
        shape = FileShape(FileFormat.CSV)
        written = dict.fromkeys(with_nan, (replace(shape, has_nan=True),))
        staging.load(FileSource(folder / "source.csv", shape, written=written))
        staging.map(fields, blank=blank)
        settle_duplicates(staging, Duplicates.FAIL)
        parts = staging.parts(folder / "parts")
        sent = b"".join(piece for part in parts for piece in part.content.pieces())
        known = [(c.first_row, c.rows, c.rejected, c.sent_bytes, c.blank) for c in staging.chunks]
        problems = [
            staging.database.connection.execute(f"FROM {c.rejected_rows()} ORDER BY row").fetchall()
            for c in staging.chunks
            if c.problems
        ]
        staging.discard()
    return together, (sent, known, problems)


def count_spliced(patch):
    """Of each chunk, whether it was put together from what was read and what was computed."""
    done = []
    original = Splicer.map

    def count(*given):
        found = original(*given)
        done.append(found is not None)
        return found

    patch.setattr(Splicer, "map", count)
    return done
