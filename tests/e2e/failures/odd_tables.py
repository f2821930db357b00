"""One table in every format, and damage to its bytes by chance."""

import gzip
import io
import json
import tempfile
from functools import cache
from pathlib import Path

import duckdb
import openpyxl
import zstandard

COLUMNS = ("ERP_Id__c", "Name", "Score__c")
HEADER = ",".join(COLUMNS) + "\n"
ODD_BYTES = [
    *(b"\0", b'"', b"\r", b"\n\n", b"\xff\xfe", b"\xed\xa0\x80", b"&x;", b"NaN", b"1e999", b","),
    *(b"]" * 500, b"[" * 200_000, b"<a>" * 5000, b"9" * 5000, b"\\ud800", b"<!DOCTYPE a>"),
]


@cache
def tables():
    """The bytes of the table, by the suffix of the file."""
    rows = [(f"E{n}", f"Näme {n}", n / 2) for n in range(20)]
    csv = HEADER + "".join(f'{a},"{b}",{c}\n' for a, b, c in rows)
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    lines = "".join(json.dumps(each) + "\n" for each in records)
    elements = "".join(
        "<row>" + "".join(f"<{name}>{value}</{name}>" for name, value in each.items()) + "</row>"
        for each in records
    )
    made = {
        ".csv": csv.encode(),
        ".tsv": csv.replace(",", "\t").encode(),
        ".json": json.dumps(records).encode(),
        ".jsonl": lines.encode(),
        ".xml": f"<?xml version='1.0'?><rows>{elements}</rows>".encode(),
        ".xlsx": excel([COLUMNS, *rows]),
        ".parquet": parquet(csv),
    }
    for suffix in (".csv", ".json", ".xml", ".jsonl"):
        made[f"{suffix}.gz"] = gzip.compress(made[suffix], mtime=0)
        made[f"{suffix}.zst"] = zstandard.compress(made[suffix])
    return made


def excel(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parquet(csv):
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        (Path(folder) / "a.csv").write_text(csv, encoding="utf-8")
        connection.execute(
            f"COPY (FROM read_csv('{folder}/a.csv')) TO '{folder}/a.parquet' (FORMAT parquet)"
        )
        return (Path(folder) / "a.parquet").read_bytes()


def damaged(chance, body):
    """Bytes that were `body`, some of them changed, cut off, doubled or put in."""
    at = chance.randrange(len(body) + 1)
    return chance.choice([flipped, flipped, put_in, put_in, cut, replaced])(chance, body, at)


def flipped(chance, body, _at):
    changed = bytearray(body)
    for _ in range(chance.choice([1, 1, 3, 30]) if body else 0):
        changed[chance.randrange(len(body))] = chance.randrange(256)
    return bytes(changed)


def put_in(chance, body, at):
    return body[:at] + chance.choice(ODD_BYTES) + body[at:]


def cut(chance, body, at):
    return chance.choice([body[:at], body[at:], body * 2, b""])


def replaced(chance, _body, at):
    return chance.choice([chance.randbytes(at % 3000), chance.choice(list(tables().values()))])
