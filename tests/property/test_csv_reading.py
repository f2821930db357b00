"""Whole CSV files are read as Python's csv module reads them: every row, every value.

The short form runs always; the long one (`SFRUNNER_SLOW=1`) takes files of 6 to 60 MB.
"""

import csv
import hashlib
import random
import re
import sys
from pathlib import Path

import duckdb
import pytest

import runner.tables
from runner.tables.database import UnreadableRowsError
from runner.tables.sources import csv_pieces
from runner.tables.sources.csv_pieces import pieces, with_rows
from tests.short_form import slow

MB = 1_000_000
PHRASES = ("x,y,z\n", "one, two\n", "\n", "\r\n", '"', '""', '",\n"', "; ", "\t|", "ü€𝄞", "word ")


def write_rows(file: Path, seed: int, megabytes: int, most_characters: int) -> int:
    """Write rows with texts of 60 characters or more; returns how many columns they have."""
    chance = random.Random(seed)  # noqa: S311 - the same files each time
    columns = chance.randint(2, 6)
    quoting = chance.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL))
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n", quoting=quoting)
        writer.writerow([f"c{n}" for n in range(columns)])
        while stream.tell() < megabytes * MB:
            writer.writerow([_text(chance, most_characters) for _ in range(columns)])
    return columns


def _text(chance: random.Random, most: int) -> str:
    if chance.random() < 0.2:
        return ""
    length = int(60 * (most / 60) ** chance.random())
    # One phrase repeated looks more like records than a mixture does.
    phrases = chance.choice(((chance.choice(PHRASES),), PHRASES))
    return "".join(chance.choice(phrases) for _ in range(length // 4 + 1))


def by_python(file: Path) -> tuple[int, int, int]:
    csv.field_size_limit(sys.maxsize)
    rows = length = digest = 0
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        next(reader)
        for cells in reader:
            rows += 1
            text = "\x1f".join(cells)
            length += len(text)
            digest ^= int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16], 16)
    return rows, length, digest


def by_duckdb(file: Path, columns: int, threads: int) -> tuple[int, int, int]:
    names = [f"c{n}" for n in range(columns)]
    cells = ", ".join(f"coalesce({each}, '')" for each in names)
    text = f"concat_ws(chr(31), {cells})"
    query = (
        f"SELECT count(*), sum(length({text})), bit_xor(('0x' || left(md5({text}), 16))::UBIGINT)"
    )
    with duckdb.connect(config={"threads": threads, "memory_limit": "150MB"}) as connection:
        return with_rows(
            file, names, lambda rows: connection.execute(f"{query} FROM {rows}").fetchall()[0]
        )


@pytest.mark.parametrize(
    ("seed", "most_characters", "threads"),
    [
        (1, 300, 2),
        (2, 3_000, 1),
        (3, 30_000, 2),
        *slow((1, 300, 1), (2, 3_000, 2), (3, 30_000, 1)),
    ],
)
def test_a_file_is_read_as_python_reads_it(tmp_path, monkeypatch, seed, most_characters, threads):
    monkeypatch.setattr("runner.tables.sources.chunks.CHUNK_BYTES", 2 * MB)
    columns = write_rows(tmp_path / "rows.csv", seed, 5, most_characters)
    assert by_duckdb(tmp_path / "rows.csv", columns, threads) == by_python(tmp_path / "rows.csv")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_a_large_file_is_read_as_python_reads_it(tmp_path, seed):
    chance = random.Random(seed)  # noqa: S311 - the same files each time
    megabytes, most = chance.choice((6, 12, 20, 30, 60)), chance.choice((200, 1_000, 5_000, 30_000))
    file = tmp_path / "rows.csv"
    columns = write_rows(file, seed, megabytes, most)
    expected = by_python(file)
    assert [by_duckdb(file, columns, threads) for threads in (1, 2)] == [expected] * 2


def test_lines_in_texts_that_look_like_records_are_text(tmp_path):
    """With its defaults, DuckDB 2.0.1 refuses this file."""
    file = tmp_path / "rows.csv"
    with file.open("w", newline="") as stream:
        rows = ([f"{n}", "x,y,z\n" * 5_000, "end"] for n in range(333))
        csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(
            [["c0", "c1", "c2"], *rows]
        )
    assert by_duckdb(file, 3, 2) == by_python(file)


@pytest.mark.parametrize("folder", ["c0=9", "a b", "o'clock", "[x]", "{a,b}", "*", "?"])
def test_the_name_of_a_folder_changes_no_value(tmp_path, folder):
    file = tmp_path / folder / "rows.csv"
    file.parent.mkdir()
    file.write_text('c0,c1\n1,"a\nb"\n')
    assert by_duckdb(file, 2, 1) == by_python(file)


@pytest.mark.parametrize(
    "content",
    ["", "c0\n", 'c0\n""\n', "c0\n1\n", '"c0\n"\n1\n', "\ufeffc0\n\ufeff1\n", "c0\r\n1\r\n"],
)
def test_a_file_of_one_column_keeps_its_rows(tmp_path, content):
    file = tmp_path / "rows.csv"
    file.write_bytes(content.encode())
    found = with_rows(file, ["c0"], lambda rows: duckdb.sql(f"FROM {rows}").fetchall())
    rows = list(csv.reader(content.removeprefix("\ufeff").splitlines(keepends=True)))[1:]
    assert found == [(cell or None,) for (cell,) in rows]


def test_the_exact_reader_is_asked_before_an_error_is_believed(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes(b'c0,c1\r\n1,"a\r\nb"\r\n2,c\n')
    assert by_duckdb(file, 2, 1) == by_python(file)


def test_what_cannot_be_read_is_said_with_row_and_line(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes(b'c0,c1\n1,"a\nb"\n2\n')
    with pytest.raises(UnreadableRowsError, match=r"^row 2 \(line 4\) has 1 cell, .* has 2$"):
        by_duckdb(file, 2, 1)
    file.write_bytes(b'c0,c1\n1,a\n2,"b\n')
    with pytest.raises(UnreadableRowsError, match=r"^row 2 \(line 3\): .* is never closed$"):
        by_duckdb(file, 2, 1)


def test_pieces_are_deleted(tmp_path):
    file = tmp_path / "rows.csv"
    write_rows(file, 1, 9, 300)
    with pieces(file) as found:
        assert len(list(found)) > 1
    assert list(tmp_path.iterdir()) == [file]


def test_there_is_one_call_of_the_csv_reader():
    folder = Path(runner.tables.__file__).parent
    calls = {f.name for f in folder.rglob("*.py") if re.search(r"read_csv\(\[", f.read_text())}
    users = {f.name for f in folder.rglob("*.py") if "read_csv(" in f.read_text()}
    assert calls == {"sql.py"}
    assert users <= {
        "sql.py",
        "csv_pieces.py",
        "chunk.py",
        "chunk_mapping.py",
        "open.py",
        "splicing.py",
    }
    assert csv_pieces.__doc__
