# ruff: noqa: E501 - a case reads best in one line
"""What is wrong in a source is told with its place."""

import gzip

import pytest

from runner.errors import SourceError
from runner.job.endpoints import Compression, FileFormat
from tests.unit.tables.reading import CSV, XML, Reading, excel, parquet, shown, zstd


@pytest.fixture
def reading(tmp_path):
    made = Reading(tmp_path)
    yield made
    for staging in made.stagings:
        staging.discard()


def damaged(content, at):
    """The same bytes but for one."""
    changed = bytearray(content)
    changed[at] ^= 0xFF
    return bytes(changed)


BOMB = b"<!DOCTYPE r [<!ENTITY a 'x'>]><root><account><b>&a;</b></account></root>"
NESTED = b"<root>\n<account><b><c>1</c></b></account></root>"


@pytest.mark.parametrize(
    ("name", "content", "form", "shape", "said"),
    [
        ("a.csv.gz", gzip.compress(CSV * 999, mtime=0)[:-9], "csv", {"compression": "gzip"}, "ends in the middle of its"),
        ("a.csv.zst", zstd(CSV * 999)[:-3], "csv", {"compression": "zstd"}, "ends in the middle of its"),
        ("b.csv.gz", CSV, "csv", {"compression": "gzip"}, "is not compressed with gzip"),
        ("b.csv.zst", CSV, "csv", {"compression": "zstd"}, "is not compressed with zstd"),
        ("d.csv.gz", damaged(gzip.compress(CSV * 999, mtime=0), -8), "csv", {"compression": "gzip"}, "is damaged: CRC check failed"),
        ("d.csv.zst", damaged(zstd(CSV * 999), -1), "csv", {"compression": "zstd"}, "is damaged: "),
        ("c.csv.gz", gzip.compress(b'a,b\n1,"2', mtime=0), "csv", {"compression": "gzip"}, "row 1 .* never closed"),
        ("a.jsonl.gz", gzip.compress(b'{"a":1}\n' * 9999, mtime=0)[:-20], "jsonl", {"compression": "gzip"}, "ends in the middle"),
        ("a.json", b'[{"a": 1}, {"a": ', "json", {}, r"line 1, column \d+: not JSON"),
        ("b.json", b'[{"a": 1}\n', "json", {}, "not a JSON array of objects"),
        ("c.json", b'{"a": 1}\n', "json", {}, "line 1: not a JSON array"),
        ("e.jsonl", b"{}\n{}\n", "jsonl", {}, "none of its 2 records has a value"),
        ("d.json", b"[1]", "json", {}, "not a JSON array of objects"),
        ("a.xlsx", excel(["a"], [1], ["=1/0"]), "excel", {}, "cell A3 of sheet 'Sheet1' contains the error #DIV/0!"),
        ("b.xlsx", b"PK no", "excel", {}, "cannot be read as Excel"),
        ("b.xls", b"<html><table>", "excel", {}, "it is HTML or XML, whatever its name says"),
        ("c.xlsx", excel(["a"], [1]), "excel", {"sheet": "T"}, "has no sheet 'T'"),
        ("d.xlsx", excel(["a"], [1, 2]), "excel", {}, "row 2 of the sheet has a value in a column without"),
        ("a.parquet", b"PAR1 no", "parquet", {}, "cannot be read as Parquet"),
        ("a.xml", XML[:-20], "xml", {"record": "/root/account"}, "not XML"),
        (
            "a.xml",
            b'<?xml version="1.0" encoding="shift_jis"?><root/>',
            "xml",
            {"record": "/root/account"},
            "not XML",
        ),
        ("b.xml", BOMB, "xml", {"record": "/root/account"}, "a document type is declared"),
        ("c.xml", NESTED, "xml", {"record": "/root/account"}, "line 2: b contains elements"),
        ("d.xml", XML, "xml", {"record": "/accounts/account"}, "the root element is root, not accounts"),
    ],
    ids=shown,
)  # fmt: skip
def test_what_is_wrong_is_reported_with_its_place(reading, name, content, form, shape, said):
    if "compression" in shape:
        shape = shape | {"compression": Compression(shape["compression"])}
    with pytest.raises(SourceError, match=said) as raised:
        reading.rows(reading.file(name, content), FileFormat(form), **shape)
    assert name in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize("value", ["{'x': 1}", "[1, 2]", "MAP {'k': 1}"])
def test_a_parquet_column_of_more_than_one_value_is_reported(reading, value):
    path = parquet(reading.folder / "a.parquet", f"SELECT 1 AS a, {value} AS deep")
    with pytest.raises(SourceError, match="column 'deep' has more than one value per row"):
        reading.rows(path, FileFormat.PARQUET)
