"""The rows of the benchmarks and the bytes that are prepared of them before any clock runs.

Row `i` is the same wherever it stands: in a Bulk result, in a page of a REST query, in a source,
in what a write must upload and in what the org says of it. Knows spellings and files. Knows
nothing of HTTP or clients.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

QUERIED = (
    "Id",
    "ERP_Id__c",
    "Name",
    "BillingCity",
    "Industry",
    "Phone",
    "AnnualRevenue",
    "NumberOfEmployees",
    "Active__c",
    "LastModifiedDate",
)
WRITTEN = (
    "ERP_Id__c",
    "Name",
    "BillingCity",
    "Industry",
    "Phone",
    "AnnualRevenue",
    "NumberOfEmployees",
    "Active__c",
    "Founded__c",
    "Description",
)
SOURCE = (
    "customer_no",
    "company",
    "city",
    "branch",
    "phone",
    "revenue",
    "staff",
    "active",
    "founded",
    "note",
)
SOQL = f"SELECT {', '.join(QUERIED)} FROM Account"
PAGE_ROWS = 2_000
"""Of a page of a REST query."""
HELD = ("Id", "ERP_Id__c", "SystemModstamp", *WRITTEN[1:])
"""What a write reads of the records that it compares with."""
EVERY_CHANGED = 1_000
"""One record in so many has another phone than the row that is written to it."""
EVERY_FAILING = 100
"""One row in so many is refused by the org."""
ERROR = "FIELD_CUSTOM_VALIDATION_EXCEPTION:Phone must be free:Phone --"

KEY = re.compile(r"'ERP-(\d+)'")
"""A key in a query."""

_CITIES = ("Berlin", "São Paulo", "Kraków", "Osaka", "Reykjavík", "Mumbai", "Lagos")
_INDUSTRIES = ("Retail", "Banking", "Energy", "Media")
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_FOUNDED = date(1900, 1, 1)
Cells = tuple[str, ...]


def key_of(i: int) -> str:
    """The external Id of a row."""
    return f"ERP-{i:08}"


def id_of(i: int) -> str:
    """The record Id of a row."""
    return f"0015g{i:010}AAA"


def number_of(key: str) -> int:
    """Which row an external Id names."""
    return int(key[4:12])


def _name(i: int) -> str:
    if i % 50 == 0:
        return f'Company {i},\n"The {i % 7} Brothers"'
    return f"Company {i} & Sons"


def _revenue(i: int) -> str:
    return repr((i * 7_919 % 100_000_000) / 100)


def _moment(i: int) -> str:
    return (_EPOCH + timedelta(seconds=i * 37)).strftime("%Y-%m-%dT%H:%M:%S.000")


def queried(i: int) -> Cells:
    """A row as a Bulk query gives it."""
    return (
        id_of(i),
        key_of(i),
        _name(i),
        _CITIES[i % 7],
        _INDUSTRIES[i % 4],
        f"+49 30 {i % 1_000_000:06}",
        _revenue(i),
        str(i % 5_000),
        "true" if i % 3 else "false",
        _moment(i) + "Z",
    )


def record(i: int) -> str:
    """A row as a page of a REST query spells it."""
    record_id, key, name, city, industry, phone, revenue, staff, active, moment = queried(i)
    url = f"/services/data/v60.0/sobjects/Account/{record_id}"
    return (
        f'{{"attributes":{{"type":"Account","url":"{url}"}},"Id":"{record_id}",'
        f'"ERP_Id__c":"{key}","Name":{json.dumps(name, ensure_ascii=False)},'
        f'"BillingCity":"{city}","Industry":"{industry}","Phone":"{phone}",'
        f'"AnnualRevenue":{revenue},"NumberOfEmployees":{staff},"Active__c":{active},'
        f'"LastModifiedDate":"{moment.removesuffix("Z")}+0000"}}'
    )


def source(i: int) -> Cells:
    """A row as the file that is loaded has it."""
    return (
        key_of(i),
        f"  {_name(i)} ",
        _CITIES[i % 7],
        _INDUSTRIES[i % 4].upper(),
        f"+49 30 {i % 1_000_000:06}",
        _revenue(i),
        str(i % 5_000),
        "yes" if i % 3 else "no",
        (_FOUNDED + timedelta(days=i % 40_000)).isoformat(),
        f"row {i}",
    )


def written(i: int) -> Cells:
    """A row as it must be uploaded: what the job's `fields` make of the source's."""
    key, _, city, branch, phone, revenue, staff, active, founded, note = source(i)
    active = "true" if active == "yes" else "false"
    industry = branch.lower()
    return (key, _name(i), city, industry, phone, revenue, staff, active, founded, f"{note}!")


def held(i: int) -> Cells:
    """What the org has of a row that is compared before it is written."""
    key, *others = written(i)
    others[3] = "0" if is_changed(i) else others[3]
    return (id_of(i), key, "2026-01-01T00:00:00.000Z", *others)


def is_changed(i: int) -> bool:
    """Whether a row differs from its record."""
    return i % EVERY_CHANGED == EVERY_CHANGED // 2


def fails(i: int) -> bool:
    """Whether the org refuses a row."""
    return i % EVERY_FAILING == EVERY_FAILING - 1


def quoted(cells: Cells) -> str:
    """One CSV record, every value quoted."""
    return '"' + '","'.join(cell.replace('"', '""') for cell in cells) + '"\n'


def plain(cells: Cells) -> str:
    """One CSV record, quotes where they are needed."""
    return ",".join(map(_as_needed, cells)) + "\n"


def _as_needed(cell: str) -> str:
    if '"' in cell or "," in cell or "\n" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell


@dataclass(frozen=True, slots=True)
class Prepared:
    """Bytes in a file, and where each row, or page, of it begins; one more entry for the end."""

    file: Path
    starts: array[int]

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Offset and length of entries from `first` up to, not with, `last`."""
        return self.starts[first], self.starts[last] - self.starts[first]


def prepare(file: Path, texts: Iterable[str], head: str = "") -> Prepared:
    """Write texts to a file one after the other and note where each begins."""
    starts = array("Q")
    place = len(head.encode())
    with file.open("wb") as out:
        out.write(head.encode())
        for text in texts:
            starts.append(place)
            place += out.write(text.encode())
        starts.append(place)
    return Prepared(file, starts)


def bulk_result(folder: Path, rows: int) -> Prepared:
    """All rows as a Bulk query gives them, without a header."""
    return prepare(folder / "result.csv", (quoted(queried(i)) for i in range(rows)))


def held_result(folder: Path, rows: int) -> Prepared:
    """All records as a query for a comparison gives them, without a header."""
    return prepare(folder / "held.csv", (quoted(held(i)) for i in range(rows)))


def pages(folder: Path, rows: int) -> Prepared:
    """The pages of a REST query."""
    return prepare(folder / "pages.json", (_page(start, rows) for start in _starts(rows)))


def _starts(rows: int) -> range:
    return range(0, max(rows, 1), PAGE_ROWS)


def _page(start: int, rows: int) -> str:
    end = min(start + PAGE_ROWS, rows)
    following = f'"nextRecordsUrl":"/services/data/v60.0/query/01g-{end}",' if end < rows else ""
    done = "false" if end < rows else "true"
    records = ",".join(record(i) for i in range(start, end))
    return f'{{"totalSize":{rows},"done":{done},{following}"records":[{records}]}}'


def write(file: Path, header: Cells, cells: Iterable[Cells]) -> None:
    """A CSV file that is loaded."""
    prepare(file, map(plain, cells), plain(header))
