"""Line ends and commas outside quotes are counted right, compiled or not, however text is cut."""

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.salesforce.bulk.line_ends import LineEnds
from tests.luajit_choice import compile_always, compile_never

CELLS = st.text(alphabet='",\n\rxé\x8a¢\x0b#', max_size=20)
ANY_BYTES = st.lists(st.sampled_from([*b'",\n', *b"\x0b\x23\x8a\xa2\xff\x00a"]), max_size=60).map(
    bytes
)
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=[compile_always, compile_never], autouse=True)
def way(request, monkeypatch):
    request.param(monkeypatch)


def added(text, cuts):
    ends = LineEnds()
    places = [0, *sorted(min(each, len(text)) for each in cuts), len(text)]
    counts = [ends.add(text[a:b]) for a, b in pairwise(places)]
    assert sum(counts) == ends.count
    return ends


@QUICK
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)
def test_each_record_has_one(rows, cuts):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    ends = added(text.getvalue().encode(), cuts)
    assert (ends.count, ends.commas, ends.in_quotes) == (len(rows), len(rows), False)


@QUICK
@given(text=ANY_BYTES, cuts=st.lists(st.integers(0, 60), max_size=4))
def test_any_bytes_are_taken_one_by_one(text, cuts):
    count, commas, in_quotes = 0, 0, False
    for byte in text:
        in_quotes ^= byte == ord('"')
        count += byte == ord("\n") and not in_quotes
        commas += byte == ord(",") and not in_quotes
    ends = added(text, cuts)
    assert (ends.count, ends.commas, ends.in_quotes) == (count, commas, in_quotes)


def test_a_long_text_is_counted_too():
    """Of more words than are counted at once."""
    text = b'",\n"\n' + b'1,","\n' * 2_000 + b"\n,,,,,,,,\n" * 500
    ends = added(text, [4_001, 9_000])
    assert (ends.count, ends.commas) == (1 + 2_000 + 1_000, 2_000 + 4_000)
