import csv
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.tables.field_types import FieldKind
from runner.tables.targets.rest_pages import (
    PageReader,
    bulk_text,
    format_csv,
    parse_records,
    value_at,
)

COLUMNS = [
    (("name",), FieldKind.TEXT),
    (("Amount",), FieldKind.NUMBER),
    (("Staff",), FieldKind.INTEGER),
    (("Active",), FieldKind.BOOLEAN),
    (("Changed",), FieldKind.DATETIME),
    (("Account", "Name"), FieldKind.TEXT),
    (("Account", "Owner", "Name"), FieldKind.TEXT),
]


def record(**fields):
    owner = {"attributes": {"type": "User"}, "Name": "Ann"}
    return {
        "attributes": {"type": "Contact", "url": "/x"},
        "Name": "A",
        "Amount": 1.5,
        "Staff": 3,
        "Active": True,
        "Changed": "2026-01-31T08:00:00.000+0000",
        "Account": {"attributes": {"type": "Account"}, "Name": "Acme", "Owner": owner},
        **fields,
    }


def page_of(*records):
    return json.dumps(list(records)).encode()


def slowly(page):
    """Record by record, as the writer does where the quick way gives up."""
    rows = [
        [bulk_text(value_at(r, path), kind) for path, kind in COLUMNS] for r in parse_records(page)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def test_values_come_in_bulks_own_form():
    found = PageReader(COLUMNS).texts(page_of(record(), record(Amount=2)))
    assert [column[0] for column in found] == [
        "A", "1.5", "3", "true", "2026-01-31T08:00:00.000Z", "Acme", "Ann",
    ]  # fmt: skip
    assert found[1] == ["1.5", "2.0"]


def test_numbers_keep_the_digits_they_are_written_with():
    page = b'[{"Amount": 12345678901234567.89}, {"Amount": 1.10}, {"Amount": 1.2345678E7}]'
    found = PageReader([(("Amount",), FieldKind.NUMBER)]).texts(page)
    assert found == [["12345678901234567.89", "1.10", "12345678.0"]]


def test_parents_may_be_missing_from_some_records():
    page = page_of(record(), record(Account=None))
    assert PageReader(COLUMNS).texts(page) == slowly(page)


def test_a_page_whose_parents_are_all_missing_is_left_to_the_slow_way_until_they_are_known():
    reader = PageReader(COLUMNS)
    assert reader.texts(page_of(record(Account=None))) is None
    assert reader.texts(page_of(record())) is not None
    alone = page_of(record(Account=None))
    assert reader.texts(alone) == slowly(alone)


def test_a_page_of_another_shape_is_left_to_the_slow_way():
    reader = PageReader(COLUMNS)
    assert reader.texts(page_of(record()))
    other = record()
    del other["Amount"]
    assert reader.texts(page_of(record(), other)) is None
    assert reader.texts(page_of(record(Account="no parent"))) is None


def test_no_records_give_no_rows():
    reader = PageReader(COLUMNS)
    assert reader.texts(b"[]") is None
    assert reader.texts(page_of(record()))
    assert reader.texts(b"[]") == [[] for _ in COLUMNS]


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.text(), st.floats(allow_nan=False)
)
_RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("Name", "Amount", "Staff", "Active", "Changed"), _VALUES),
            "Account": st.none()
            | st.fixed_dictionaries(
                {"Name": _VALUES, "Owner": st.none() | st.fixed_dictionaries({"Name": _VALUES})}
            ),
        }
    ),
    min_size=1,
)


@settings(deadline=None)
@given(_RECORDS)
def test_the_quick_way_gives_what_the_slow_way_gives(records):
    page = page_of(*records)
    reader = PageReader(COLUMNS)
    reader.texts(page_of(record()))
    assert reader.texts(page) in (None, slowly(page))


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_rows_are_written_as_the_csv_module_writes_them(rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows(rows)
    assert format_csv(list(zip(*rows, strict=True))) == text.getvalue()


def answer_of(*records, total=None):
    page = {"totalSize": total or len(records), "done": False, "nextRecordsUrl": "/next"}
    return json.dumps({**page, "records": list(records)}).encode()


@settings(deadline=None)
@given(_RECORDS)
def test_a_formatted_page_has_the_rows_of_the_slow_way(records):
    reader = PageReader(COLUMNS)
    reader.texts(page_of(record()))
    page = reader.formatted(answer_of(*records, total=70))
    if page is not None:
        assert page.csv.decode() == format_csv(slowly(page_of(*records)))
        assert (page.total_size, page.done, page.count) == (70, False, len(records))
        assert page.next_records_url == "/next"


def test_only_a_whole_answer_of_the_known_shape_is_formatted():
    reader = PageReader(COLUMNS)
    whole = answer_of(record(), record(Name='a "b"\n'))
    assert reader.formatted(whole) is None  # no page has been read before
    reader.texts(page_of(record()))
    assert reader.formatted(whole).count == 2
    assert reader.formatted(answer_of()).csv == b""
    for other in (
        whole[:-1],
        whole[: len(whole) // 2],
        whole + b"]",
        whole.replace(b"/x", b"\xff"),
        whole.replace(b"Amount", b"Amounts", 1),
        whole.replace(b'"totalSize": 2, ', b""),
        b"<html></html>",
        b"",
        page_of(record()),
        b'{"records": ' + b"[" * 100_000,
    ):
        assert reader.formatted(other) is None
