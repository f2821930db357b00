import csv
import hashlib
import io

import pytest

from runner.errors import SourceError, StateError
from runner.job.choices import Blank
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources import chunks


def read(part):
    return list(csv.reader(io.StringIO(b"".join(part.content.pieces()).decode(), newline="")))


def test_a_part_is_bulk_csv_with_its_digest(stage, tmp_path):
    content = b'Name,Note,AnnualRevenue\r\nA,"x\r\ny, ""z""",1e3\r\n\xc3\xa4,,\r\n'
    staging = stage(
        content,
        [
            MappedColumn("Name", None),
            MappedColumn("Description", "Note"),
            MappedColumn("AnnualRevenue", None, FieldKind.NUMBER),
        ],
    )
    (part,) = list(staging.parts(tmp_path / "parts"))
    written = b"".join(part.content.pieces())
    assert written.decode() == ('Name,Description,AnnualRevenue\nA,"x\ny, ""z""",1000\nä,,\n')
    assert (part.index, part.rows, part.content.length) == (1, 2, len(written))
    assert part.sha256 == hashlib.sha256(written).hexdigest()
    assert part.columns == ("Name", "Description", "AnnualRevenue")
    assert (part.first_row, part.last_row) == (1, 2)


def test_a_blank_that_clears_is_sent_as_the_explicit_null(stage, tmp_path):
    staging = stage(b"Name,Phone\nA,\n", blank=Blank.CLEAR)
    (part,) = list(staging.parts(tmp_path / "parts"))
    assert read(part) == [["Name", "Phone"], ["A", "#N/A"]]


def test_a_record_of_one_blank_cell_is_no_empty_line(stage, tmp_path):
    staging = stage(b"a,b\nx,\ny,z\n", [MappedColumn("b", None)])
    (part,) = list(staging.parts(tmp_path / "parts"))
    assert b"".join(part.content.pieces()) == b'b\n""\nz\n'


def test_parts_stay_under_their_limits_and_know_their_rows(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 500)
    monkeypatch.setattr("runner.tables.sources.chunks.cut_chunks.__defaults__", (1_000,))
    body = "".join(f'{n},{"lots" if n % 7 == 0 else n},"line\n{n}"\n' for n in range(1, 501))
    staging = stage(
        b"k,n,t\n" + body.encode(),
        [
            MappedColumn("k", None, required=True),
            MappedColumn("n", None, FieldKind.NUMBER),
            MappedColumn("t", None),
        ],
    )
    parts = list(staging.parts(tmp_path / "parts", max_bytes=1_500, max_rows=60))
    rows = [(part, row) for part in parts for row in read(part)[1:]]
    assert [int(row[0]) for _, row in rows] == [n for n in range(1, 501) if n % 7]
    assert all(part.content.length <= 1_500 and part.rows <= 60 for part in parts)
    assert all(part.first_row <= int(row[0]) <= part.last_row for part, row in rows)
    assert [part.rows for part in parts] == [len(read(part)) - 1 for part in parts]
    assert [part.index for part in parts] == list(range(1, len(parts) + 1))


def test_a_row_larger_than_a_part_is_named(stage, tmp_path):
    staging = stage(b"a\nx\n" + b"y" * 200 + b"\n")
    with pytest.raises(SourceError, match="Row 2 alone is larger than a Bulk part may be"):
        list(staging.parts(tmp_path / "parts", max_bytes=100))


def test_no_rows_make_no_parts(stage, tmp_path):
    assert list(stage(b"a\n").parts(tmp_path / "parts")) == []
    rejected = stage(b"a\nx\n", [MappedColumn("a", None, FieldKind.NUMBER)])
    assert list(rejected.parts(tmp_path / "parts")) == []


def damaged(file, content):
    """Other bytes, where those of a staged file were."""
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no longer has the 9 rows written to it"),
        (b"A,B\n" * 5, "no longer has the 9 rows written to it"),
        (b"A,B\n" * 8 + b'"A,B\n', "no longer has the 9 rows written to it"),
        (b"Ab,B\n" * 9, "no longer has the 9 rows written to it"),
        (None, "No such file or directory."),
    ],
    ids=("empty", "fewer", "open quote", "longer", "gone"),
)
def test_staged_rows_that_were_damaged_are_not_cut(stage, tmp_path, content, told):
    staging = stage(b"k,t\n" + b"A,B\n" * 9)
    damaged(staging.chunks[0].sent_file, content)
    with pytest.raises(StateError, match=told) as raised:
        list(staging.parts(tmp_path / "parts", max_bytes=20))
    assert "start a new run" in raised.value.hint


@pytest.mark.parametrize(
    ("content", "told"), [(b"A,B\n" * 8, "it lacks its last 4 bytes."), (None, "No such file")]
)
def test_staged_rows_that_are_damaged_once_they_are_cut_are_not_sent(
    stage, tmp_path, content, told
):
    staging = stage(b"k,t\n" + b"A,B\n" * 9)
    (part,) = staging.parts(tmp_path / "parts")
    damaged(staging.chunks[0].sent_file, content)
    with pytest.raises(StateError, match=told):
        list(part.content.pieces())
