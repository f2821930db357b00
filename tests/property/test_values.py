"""Whatever stands in a source arrives, in a part and in a result file, as it was."""

import csv
import io
import json
import tempfile
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.outcome import RowResult, RowStatus
from runner.tables.field_types import TRIMMED_BY_THE_ORG, FieldKind, MappedColumn
from runner.tables.results.row_results import RowResults
from runner.tables.staging.rows import StagedRows
from tests.short_form import sampled

TRAPS = [
    '"',
    '""',
    "\n",
    "\r\n",
    "\r",
    "\u2028",
    "\u0085",
    "\ufeff",
    "😀",
    "שלום",
    ",",
    ";",
    "#",
    "NULL",
    "#N/",
    "\\",
    "'",
    "\t",
    " ",
    "\x1c",
    "\x1e",
    "\x1f",
]
anything = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
texts = st.lists(st.one_of(st.sampled_from(TRAPS), st.text(anything, max_size=5)), max_size=8).map(
    "".join
)
rows_of_text = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)


def as_sent(text: str) -> str:
    """With LF line ends; what is nothing but white space that the org trims is blank."""
    is_blank = not text.strip(TRIMMED_BY_THE_ORG)
    return "" if is_blank else text.replace("\r\n", "\n").replace("\r", "\n")


def filled(rows):
    """Rows without any value are no rows."""
    return [row for row in rows if any(map(as_sent, row))]


def csv_bytes(rows, **how) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, **how).writerows(rows)
    return stream.getvalue().encode()


def parsed(content: bytes) -> list[list[str]]:
    csv.field_size_limit(1_000_000)
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


class Staged:
    """A staging of some bytes, in a folder that goes away with it."""

    def __init__(self, content: bytes, columns, form=FileFormat.CSV, **mapping):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        source = self.folder / "source"
        source.write_bytes(content)
        self.staging = StagedRows(self.folder / "staging")
        self.staging.load(FileSource(source, FileShape(form)))
        self.staging.map(columns, **mapping)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.staging.discard()
        self._folder.cleanup()

    def sent(self) -> list[list[str]]:
        """The rows over all parts, read back by Python's own CSV reader."""
        parts = list(self.staging.parts(self.folder / "parts"))
        return [row for part in parts for row in parsed(b"".join(part.content.pieces()))[1:]]


def fields(kind=FieldKind.TEXT):
    return [MappedColumn("A__c", "a", kind), MappedColumn("B__c", "b", kind)]


@sampled(12)
@example([("\ufeff", "")], "\n")
@example([("\ufeffa", "b"), ("c", "\ufeff")], "\r\n")
@given(rows_of_text, st.sampled_from(["\n", "\r\n"]))
@example([("x" * 131_072, "😀" * 131_072)], "\n")
@example([("", "")], "\n")
@example([('"a\r\nb"', "c\rd")], "\r\n")
def test_text_arrives_whole_over_both_apis_and_in_result_files(rows, line_end):
    content = csv_bytes([("a", "b"), *rows], lineterminator=line_end)
    with Staged(content, fields()) as staged:
        rows = filled(rows)
        assert staged.sent() == [[as_sent(a), as_sent(b)] for a, b in rows]
        records = [record for _, record in next(staged.staging.batches(100), [])]
        wanted = [{"A__c": as_sent(a), "B__c": as_sent(b)} for a, b in rows]
        assert records == [{k: v for k, v in row.items() if v} for row in wanted]
        results = RowResults(staged.staging)
        results.add([RowResult(n, RowStatus.SUCCEEDED) for n in range(1, len(rows) + 1)])
        results.write_files(staged.folder)
        told = parsed((staged.folder / "succeeded.csv").read_bytes())[1:]
        assert [tuple(row[:2]) for row in told] == rows


@sampled(10)
@given(rows_of_text)
def test_text_arrives_whole_from_json_lines(rows):
    lines = (json.dumps({"a": a, "b": b}, ensure_ascii=n % 2 == 0) for n, (a, b) in enumerate(rows))
    content = "".join(f"{line}\n" for line in lines).encode()
    with Staged(content, fields(), FileFormat.JSONL) as staged:
        assert staged.sent() == [[as_sent(a), as_sent(b)] for a, b in filled(rows)]


numbers = st.decimals(
    min_value=Decimal(-(10**17)), max_value=Decimal(10**17), allow_nan=False, places=4
)


@sampled(8)
@given(st.lists(numbers, min_size=1, max_size=20))
@example([Decimal(123456789012345678), Decimal("0.000000000000000001")])
def test_numbers_keep_every_digit(values):
    spellings = [(f"{value:f}", f"{value:E}") for value in values]
    with Staged(csv_bytes([("a", "b"), *spellings]), fields(FieldKind.NUMBER)) as staged:
        sent = staged.sent()
        assert [row[0] for row in sent] == [plain for plain, _ in spellings]
        assert [Decimal(row[1]) for row in sent] == values
        assert "E" not in "".join(row[1] for row in sent)
        records = [record for _, record in next(staged.staging.batches(100), [])]
        assert [Decimal(str(record["A__c"])) for record in records] == values


@sampled(8)
@given(st.lists(st.dates(), min_size=1, max_size=20))
@example([date(1, 1, 1), date(1700, 1, 1), date(4000, 12, 31), date(9999, 12, 31)])
def test_dates_are_never_moved(days):
    rows = [(str(day), f"{day}T00:00:00") for day in days]
    columns = fields(FieldKind.DATE)
    with Staged(csv_bytes([("a", "b"), *rows]), columns, timezone="Pacific/Auckland") as staged:
        assert staged.sent() == [[str(day), str(day)] for day in days]


zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(
    min_value=datetime(1700, 1, 2),  # noqa: DTZ001 - Hypothesis adds the zones
    max_value=datetime(4000, 12, 30),  # noqa: DTZ001 - same
    timezones=zones,
)


@sampled(8)
@given(st.lists(moments, min_size=1, max_size=20))
def test_moments_stay_the_same_moment(times):
    times = [t.replace(microsecond=t.microsecond // 1000 * 1000) for t in times]
    rows = [(t.isoformat(), t.isoformat(" ", "milliseconds")) for t in times]
    columns = fields(FieldKind.DATETIME)
    with Staged(csv_bytes([("a", "b"), *rows]), columns, timezone="Europe/Berlin") as staged:
        for time, (one, other) in zip(times, staged.sent(), strict=True):
            assert one == other
            assert datetime.fromisoformat(one) == time
            assert one.endswith("Z")
            assert len(one) == len("2026-01-31T08:00:00.000Z")
