"""Results in the order of their rows take a shorter way, which leads to the same files."""

import csv
import io
import tracemalloc

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from runner.errors import StorageError, UnexpectedAnswerError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.outcome import Counts
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.results import in_order, pieces
from runner.tables.results.bulk_results import ResultFiles
from runner.tables.results.in_order import SentRows, find_in_order
from runner.tables.results.quoted_records import quoted_records
from runner.tables.results.row_results import RowResults
from runner.tables.results.succeeded_lines import SucceededLines, SucceededRows
from runner.tables.staging.retry_part import TemporaryRefusal, write_retry_part
from runner.tables.staging.rows import StagedRows
from tests.luajit_choice import compile_always, compile_never
from tests.short_form import sampled

FIELDS = ("A__c", "B__c", "N__c")
OWN = ("sf__Id", "sf__Created")
COLUMNS = [
    MappedColumn("A__c", "a"),
    MappedColumn("B__c", "b"),
    MappedColumn("N__c", "n", FieldKind.INTEGER),
]
TRICKY = ["", "x", "y", "a,b", 'a"b', '"', "\n", "a\nb\n", '",', ',"', '","', ',"x","y"', "é"]
TEXTS = st.one_of(st.sampled_from(TRICKY), st.text(alphabet='xy,"\n é#', max_size=6))
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from("0123")), min_size=1, max_size=30)
ENDS = st.sampled_from(["true", "false", "failed"])
CALM = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
QUICK = sampled(60, **CALM)
FEW = sampled(5, **CALM)


@pytest.fixture(params=["Python", "LuaJIT"], autouse=True)
def way(request, monkeypatch):
    """Each test runs with and without compiled functions, which take a few bytes at a time here."""
    is_compiled = request.param == "LuaJIT"
    (compile_always if is_compiled else compile_never)(monkeypatch)
    monkeypatch.setattr(in_order, "_READ_BYTES", 70)
    monkeypatch.setattr(pieces, "_COMPILED_BYTES", 20)
    if is_compiled:
        monkeypatch.setattr(pieces, "_MOST_BYTES_IN_MEMORY", 50)


def quoted(*cells):
    return '"' + '","'.join(cell.replace('"', '""') for cell in cells) + '"\n'


def plain(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def id_of(row):
    return f"001{row:012}AAA"


def succeeded_of(rows, ends, own=OWN):
    """A line for each record that succeeded, after the header; `ends` has one for each row."""
    yield quoted(*own, *FIELDS)
    for row, (cells, end) in enumerate(zip(rows, ends, strict=True), start=1):
        told = {"sf__Id": id_of(row), "sf__Created": end}
        if end != "failed":
            yield quoted(*map(told.get, own), *cells)


def failed_of(rows, ends, error="BAD:no {0}:A__c --"):
    yield quoted("sf__Id", "sf__Error", *FIELDS)
    for cells, end in zip(rows, ends, strict=True):
        if end == "failed":
            yield quoted("", error.format(cells[0]), *cells)


def file_of(folder, name, lines):
    file = folder / name
    file.write_text("".join(lines), encoding="utf-8", newline="")
    return file


def found_in_order(folder, rows, succeeded, failed=()):
    """Find the results of rows that are in two files."""
    sent, half = [], len(rows) // 2
    for numbers in (range(1, half + 1), range(half + 1, len(rows) + 1)):
        if numbers:
            text = plain(rows[row - 1] for row in numbers)
            file = file_of(folder, f"sent-{numbers[0]}.csv", text)
            sent.append(SentRows(numbers[0], numbers[-1], numbers, file, len(numbers)))
    others = [each for block in quoted_records(plain(failed).encode()) for each in block.records]
    lines = SucceededLines(folder / "lines")
    found = find_in_order(sent, file_of(folder, "succeeded.csv", succeeded), others, lines)
    for each in found.succeeded if found else ():
        lines.add(each)
    return found, lines.between(1, len(rows))


@st.composite
def rows_and_ends(draw):
    """Rows of which those with the same values end alike."""
    rows = draw(ROWS)
    end_of = {cells: draw(ENDS) for cells in rows}
    return rows, [end_of[cells] for cells in rows]


@QUICK
@given(rows_and_ends())
def test_each_row_finds_its_own_result(tmp_path, drawn):
    rows, ends = drawn
    failed = [cells for cells, end in zip(rows, ends, strict=True) if end == "failed"]
    found, known = found_in_order(tmp_path, rows, succeeded_of(rows, ends), failed)
    assert found.others == [row for row, end in enumerate(ends, start=1) if end == "failed"]
    told = [(row, end) for row, end in enumerate(ends, start=1) if end != "failed"]
    lines = known.text.decode().splitlines() if known else []
    assert lines == [f"{id_of(row)},{end}" for row, end in told]


@QUICK
@given(ROWS, st.data())
def test_results_that_are_not_those_of_the_rows_in_order_are_left_to_others(tmp_path, rows, data):
    lines = list(succeeded_of(rows, ["true"] * len(rows)))
    at = data.draw(st.integers(1, len(rows)))
    kind = data.draw(st.sampled_from(["missing", "twice", "other", "swapped", "cut", "no Id"]))
    if kind == "missing":
        del lines[at]
    elif kind == "twice":
        lines.insert(at, lines[at])
    elif kind == "other":
        lines[at] = quoted(id_of(at), "true", rows[at - 1][0] + "!", *rows[at - 1][1:])
    elif kind == "swapped":
        other = data.draw(st.integers(1, len(rows)))
        lines[at], lines[other] = lines[other], lines[at]
        if rows[at - 1] == rows[other - 1]:
            return
    elif kind == "cut":
        lines[-1] = lines[-1][:-1]
    else:
        lines[at] = quoted("", "true", *rows[at - 1])
    assert found_in_order(tmp_path, rows, lines) == (None, None)


def taken_in(folder, staging, parts, results_of):
    """The result files after each part's results, and whether all came in order."""
    results = RowResults(staging)
    is_in_order = True
    for part in parts:
        matched = results.match(part, results_of(part), "750x")
        is_in_order &= bool(matched.succeeded)
        results.add_part(matched)
    counts = results.write_files(folder)
    return is_in_order, counts, {file.name: file.read_bytes() for file in folder.glob("*.csv")}


@FEW
@given(drawn=rows_and_ends(), bad=st.lists(st.integers(0, 30), max_size=3))
def test_result_files_are_the_same_byte_for_byte(tmp_path_factory, drawn, bad):
    rows, ends = drawn
    rows, ends = [*rows, ("last", "", "1")], [*ends, "true"]
    bad = [at for at in bad if at < len(rows) - 1]
    source = [(*cells[:2], "bad" if at in bad else cells[2]) for at, cells in enumerate(rows)]
    folder = tmp_path_factory.mktemp("rows")
    file = file_of(folder, "source.csv", ["a,b,n\n", plain(source)])
    found = []
    for own in (OWN, OWN[::-1]):  # the latter are parsed
        staging = StagedRows(folder / f"staging-{own[0]}")
        staging.load(FileSource(file, FileShape(FileFormat.CSV)))
        staging.map(COLUMNS)
        parts = list(staging.parts(folder / "parts", max_rows=7))

        def results_of(part, own=own):
            numbers = range(part.first_row - 1, part.last_row)
            sent = [(rows[n], ends[n]) for n in numbers if n not in bad]
            here = tuple(zip(*sent, strict=True))
            ok = file_of(folder, f"{part.index}.ok.csv", succeeded_of(*here, own))
            return ResultFiles(ok, file_of(folder, "bad.csv", failed_of(*here)), None)

        found.append(taken_in(folder / own[0], staging, parts, results_of))
        staging.discard()
    (_, *fast), (was_in_order, *slow) = found
    assert not was_in_order
    assert fast == slow


def test_memory_does_not_grow_with_the_files_that_have_a_long_record(tmp_path):
    rows = [("x" * 300, str(n), "1") for n in range(1, 7)]
    sent = [
        SentRows(n, n, (n,), file_of(tmp_path, f"sent-{n}.csv", plain([cells])), 1)
        for n, cells in enumerate(rows, start=1)
    ]
    succeeded = file_of(tmp_path, "succeeded.csv", succeeded_of(rows, ["true"] * len(rows)))
    tracemalloc.start()
    try:
        assert find_in_order(sent, succeeded, (), SucceededLines(tmp_path / "lines"))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_rows_that_are_sent_again_leave_those_that_succeeded_alone(stage, tmp_path):
    rows = [(f"a{n}", "", "1") for n in range(20)]
    ends = ["failed" if n % 5 == 0 else "true" for n in range(20)]
    staging = stage(("a,b,n\n" + plain(rows)).encode(), COLUMNS)
    results = RowResults(staging)
    (part,) = staging.parts(tmp_path / "parts")

    def take_in(part, rows, ends, error):
        files = (
            file_of(tmp_path, "ok.csv", succeeded_of(rows, ends)),
            file_of(tmp_path, "bad.csv", failed_of(rows, ends, error)),
        )
        matched = results.match(part, ResultFiles(*files, None), "750x")
        results.add_part(matched)
        return matched

    assert take_in(part, rows, ends, "UNABLE_TO_LOCK_ROW:later:--").succeeded
    refusals = [TemporaryRefusal(("UNABLE_TO_LOCK_ROW",))]
    assert results.clear_retryable(part, refusals) == 4
    again = write_retry_part(staging, part)
    assert b"".join(again.content.pieces()).split()[1:] == [b"a%d,,1" % n for n in range(0, 20, 5)]
    take_in(again, rows[::5], ["true", "true", "true", "failed"], "BAD:no:--")
    assert results.write_files(tmp_path / "out") == Counts(read=20, created=19, failed=1)
    lines = (tmp_path / "out" / "succeeded.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["a", *(f"a{n}" for n in range(20) if n != 15)]


def test_pieces_among_each_other_have_each_row_once(tmp_path):
    (tmp_path / "lines").write_bytes(b"of a process that died")
    store = SucceededLines(tmp_path / "lines")
    store.write(1, 1, [], b"of results that were not taken,true\n")
    store.add(store.write(3, 7, [4, 6], b"A,true\nB,false\nC,true\n"))
    store.add(store.write(2, 6, [3, 5], b"D,true\nE,true\nF,true\n"))
    assert store.between(1, 4) == SucceededRows(1, 4, [1], b"D,true\nA,true\nE,true\n")
    assert store.between(5, 9) == SucceededRows(5, 9, [8, 9], b"B,false\nF,true\nC,true\n")
    assert store.between(8, 9) is None
    assert (store.created, store.updated) == (5, 1)
    found = b"".join(store.take(1, 9)).splitlines()
    assert sorted(found) == [
        b"2,D,true", b"3,A,true", b"4,E,true", b"5,B,false", b"6,F,true", b"7,C,true",
    ]  # fmt: skip
    assert (store.created, store.updated, store.between(1, 9)) == (0, 0, None)


class Slices(bytes):
    """Counts the bytes of its slices."""

    taken = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        self.taken += len(found)
        return found


def test_a_long_value_with_many_lines_and_quotes_is_taken_once():
    text = '"\nä' * 50_000
    rows = [(text, "x", "1"), ("y", text, "2")]
    content = Slices(plain(rows).encode())
    records = [each for block in quoted_records(content) for each in block.records]
    in_one_line = (quoted(*row).removesuffix("\n").replace("\n", "\0") for row in rows)
    assert records == [f",{row}".encode() for row in in_one_line]
    assert content.taken < 2 * len(content)


@pytest.mark.parametrize("first", [1, 995, 999_990])
def test_rows_keep_their_numbers_across_thousands(tmp_path, first):
    others = [row for row in range(first, first + 2_000) if row % 7 == 0]
    rows = [row for row in range(first, first + 2_000) if row % 7]
    store = SucceededLines(tmp_path / "lines")
    lines = b"".join(b"%d,true\n" % row for row in rows)
    store.add(store.write(first, first + 1_999, others, lines))
    for start, end in ((first, first + 1_999), (first + 3, first + 1_200)):
        known = store.between(start, end)
        text = b"".join(known.after([b"r%d" % row for row in range(start, end + 1)])).decode()
        assert text == "".join(f"r{row},{row},{row},true\n" for row in rows if start <= row <= end)


@pytest.mark.parametrize("damage", [lambda f: f.write_bytes(b"001A,true"), lambda f: f.unlink()])
def test_a_damaged_file_of_lines_is_reported(stage, tmp_path, damage):
    rows = [("a", "b", "1"), ("c", "d", "2")]
    staging = stage(("a,b,n\n" + plain(rows)).encode(), COLUMNS)
    results = RowResults(staging)
    (part,) = staging.parts(tmp_path / "parts")
    files = ResultFiles(file_of(tmp_path, "ok.csv", succeeded_of(rows, ["true"] * 2)), None, None)
    results.add_part(results.match(part, files, "750x"))
    damage(staging.folder / "succeeded.lines")
    with pytest.raises(StorageError, match=r"succeeded\.lines"):
        results.write_files(tmp_path / "out")


@pytest.mark.parametrize("names", [("in-0", "in-1", "in-2"), ("in,0", "in,1", "in,2")])
def test_results_of_several_files_name_their_file(stage, tmp_path, names):
    rows = [("a", "b", "1"), ("c", "d", "2"), ("e", "f", "3")]
    for name, some in zip(names, (rows[:2], [], rows[2:]), strict=True):
        file_of(tmp_path, f"{name}.csv", ["a,b,n\n", plain(some)])
    staging = stage.staging(FileSource(tmp_path / "in*.csv", FileShape(FileFormat.CSV)))
    staging.map(COLUMNS)
    (part,) = staging.parts(tmp_path / "parts")
    ends = ["true", "failed", "false"]
    files = (
        file_of(tmp_path, "ok.txt", succeeded_of(rows, ends)),
        file_of(tmp_path, "bad.txt", failed_of(rows, ends)),
    )
    results = RowResults(staging)
    results.add_part(results.match(part, ResultFiles(*files, None), "750x"))
    assert results.write_files(tmp_path / "out") == Counts(read=3, created=1, updated=1, failed=1)
    told = {}
    for name in ("succeeded", "failed"):
        with (tmp_path / "out" / f"{name}.csv").open(newline="") as stream:
            told[name] = [line[3:] for line in csv.reader(stream)][1:]
    assert told == {
        "succeeded": [
            ["1", f"{names[0]}.csv", "1", id_of(1), "true"],
            ["3", f"{names[2]}.csv", "1", id_of(3), "false"],
        ],
        "failed": [["2", f"{names[0]}.csv", "2", "", "BAD", "no c", "A__c"]],
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], r"rows without a result: 1 \(20\)"),
        (lambda lines: [*lines, lines[-1]], "a row that has another one: 2"),
    ],
)
def test_a_result_too_few_or_too_many_is_reported(stage, tmp_path, change, said):
    rows = [(f"a{n}", "", "1") for n in range(20)]
    key = [MappedColumn("A__c", "a", required=True), *COLUMNS[1:]]
    staging = stage(("a,b,n\n" + plain(rows)).encode(), key)
    (part,) = staging.parts(tmp_path / "parts")
    lines = change(list(succeeded_of(rows, ["true"] * 20)))
    files = ResultFiles(file_of(tmp_path, "ok.csv", lines), None, None)
    results = RowResults(staging)
    with pytest.raises(UnexpectedAnswerError, match=said):
        results.add_part(results.match(part, files, "750x"))


def test_a_part_whose_rows_all_succeed_in_order_needs_no_engine(stage, tmp_path, answer):
    rows = [("a,b", "x", "1"), ("y", "", "2")]
    staging = stage(("a,b,n\n" + plain(rows)).encode(), COLUMNS)
    (part,) = staging.parts(tmp_path / "parts")
    results = RowResults(staging)
    ends = ["true", "false"]
    files = ResultFiles(answer("succeeded", "".join(succeeded_of(rows, ends))), None, None)
    results.add_part(results.match(part, files, "750x"))
    assert not results.clear_retryable(part, [TemporaryRefusal("UNABLE_TO_LOCK_ROW")])
    assert results.write_files(tmp_path) == Counts(read=2, created=1, updated=1)
    assert (tmp_path / "succeeded.csv").read_text() == (
        f'a,b,n,sf__Row,sf__Id,sf__Created\n"a,b",x,1,1,{id_of(1)},true\ny,,2,2,{id_of(2)},false\n'
    )
    assert not staging.database.is_open
