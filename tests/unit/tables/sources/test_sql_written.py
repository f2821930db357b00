"""A source's `decimal` and `dates` follow its values through SQL, as far as they stay."""

import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.sql_join import JoinedSource
from runner.tables.staging.rows import StagedRows

GERMAN = FileShape(FileFormat.CSV, delimiter=";", decimal=",", dates="%d.%m.%Y")
COLUMNS = [
    MappedColumn("k", None),
    MappedColumn("amount", None, FieldKind.NUMBER),
    MappedColumn("day", None, FieldKind.DATE),
]


@pytest.fixture
def read(tmp_path):
    def file(name, text, shape):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return FileSource(tmp_path / name, shape)

    tables = {
        "de": file("de.csv", "k;amount;day\na;1.234;31.01.2026\n", GERMAN),
        "en": file("en.csv", "k,amount,day\na,1.234,2026-01-31\n", FileShape(FileFormat.CSV)),
    }

    def read(sql):
        staging = StagedRows(tmp_path / "staging")
        try:
            staging.load(JoinedSource(sql, tables, {"least": "1"}))
            staging.map(COLUMNS)
            return [record for _, record in next(staging.batches(10))]
        finally:
            staging.discard()

    return read


@pytest.mark.parametrize(
    ("sql", "amount"),
    [
        ("SELECT * FROM de", 1234),
        ("SELECT * FROM en", 1.234),
        ("SELECT de.k, en.amount, de.day FROM de JOIN en USING (k)", 1.234),
        ("SELECT k, de.amount, en.day FROM de FULL JOIN en USING (k)", 1234),
        ("FROM (SELECT k, max(amount) AS amount, min(day) AS day FROM de GROUP BY k)", 1234),
        ("SELECT * FROM de WHERE amount > :least UNION ALL SELECT * FROM de WHERE false", 1234),
        ("SELECT k, replace(amount, ',', '.') AS amount, '2026-01-31' AS day FROM de", 1.234),
        ("SELECT k, CAST(replace(amount, '.', '') AS DECIMAL(9, 1)) AS amount, day FROM de", 1234),
    ],
)  # fmt: skip
def test_a_value_that_stays_as_it_is_is_read_as_its_table_writes_it(read, sql, amount):
    assert read(sql) == [{"k": "a", "amount": amount, "day": "2026-01-31"}]


def test_values_that_are_written_in_two_ways_are_refused(read):
    with pytest.raises(SourceError, match="amount: `sql` mixes values of tables"):
        read("SELECT * FROM de UNION ALL SELECT * FROM en")
