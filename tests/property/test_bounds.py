"""Compiled functions read no byte after the zero that ends their content: LuaJIT checks no bounds.

The content is before a page that may not be read. Who reads it ends at once, so this is done in
forks.
"""

import ctypes
import io
import mmap
import multiprocessing
import os
from itertools import product

import pytest

from runner.tables.field_types import FieldKind
from runner.tables.results import in_order
from runner.tables.results.in_order import SentRows, find_in_order
from runner.tables.results.succeeded_lines import SucceededLines
from runner.tables.staging import as_is_bytes
from runner.tables.staging.as_is_bytes import Asked, Look, find_known, read_known
from runner.tables.staging.text_steps import text_steps
from runner.tables.targets import arrow_rows, exponents, json_lines
from runner.tables.targets.column_types import TypedColumn
from runner.tables.targets.json_lines import write_json_lines
from runner.tables.window import Window
from tests.luajit_choice import compile_always

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
_NOTHING = 0
"""PROT_NONE"""
CELLS = (
    *(b"", b"x", b"-", b"1.", b"true", b"00", b"2024-02-2", b"08:00:00.000", b"001000000000001"),
    *(b'"', b'""', b'"a,b"', b'"a', b"#", b"x" * 8, b" ", b"\t", b"\xc2", b"\xe3\x80"),
)


KINDS = sorted({*FieldKind} - {FieldKind.ID, FieldKind.JSON})
"""What is written otherwise than texts are, and texts."""
VALUES = (b"1.5E1", b"9" * 15, b"2026-01-31", b"08:00:00.000Z", b"2026-01-31T08:00:00.000Z")


def fence(content):
    """Some bytes and a zero, right before a page that may not be read, and where they are."""
    size = len(content) + 1
    pages = -(-size // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    end = start + pages * mmap.PAGESIZE
    memory[pages * mmap.PAGESIZE - size : pages * mmap.PAGESIZE - 1] = content
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(end), mmap.PAGESIZE, _NOTHING) == 0
    return memory, end - size


def looks():
    """What is asked of the last of two columns."""
    every = Asked(is_filled=True, is_trimmed=True, prefix="001", is_key=True, tells_case=False)
    keys = (Asked(is_key=True), Asked(is_key=True, tells_case=False), Asked(prefix="001"), every)
    for kind in sorted(as_is_bytes.KINDS):
        for asked in (Asked(), *keys):
            yield Look(2, {0: FieldKind.TEXT, 1: kind}, {}, asked={1: asked})
    for expression in ("trim(t)", "upper(t)", "'x' || lower(trim(t)) || ','"):
        steps = text_steps(expression)
        yield Look(2, {0: FieldKind.TEXT}, {}, sent=(None, 0, 1, None), steps={1: steps})
    yield Look(2, {0: FieldKind.TEXT}, {}, sent=(0, 1), words={1})


def look_at_every_cell():
    fenced = []

    def address_of(content):
        memory, address = fence(content)
        fenced[:] = [memory]
        return address

    as_is_bytes.address_of = address_of
    for look in looks():
        for cell in CELLS:
            for line_end in (b"\n", b""):
                content = b"x," + cell + line_end
                try:
                    if look.sent is None:
                        find_known(content, look)
                    else:
                        list(read_known(io.BytesIO(content), len(content), look))
                except ValueError:
                    pass


def fence_windows():
    """Let the content of each window be before such a page. Gives what puts bytes there."""
    fenced = []

    def fenced_copy(content):
        memory, address = fence(content)
        fenced[:] = [*fenced[-1:], memory]
        return address

    def place(window):
        content = window._bytes[: window.size]  # noqa: SLF001 - nothing else shows it
        return fenced_copy(content), window.size, window.is_last

    Window.place = property(place)
    return fenced_copy


def look_through_windows(folder):
    """Lines of JSON of each cell, and results beside it, at the end of windows of many sizes."""
    fence_windows()
    rows, sent = folder / "rows.csv", folder / "sent.csv"
    for cell, end in product(CELLS, (b'"\n', b"")):
        rows.write_bytes(b'"sf__Id","sf__Created","A"\n"001","true","' + cell + end)
        sent.write_bytes(cell + b"\n")
        some = [SentRows(1, 1, (1,), sent, 1)]
        for size in range(1, 45):
            json_lines._READ_BYTES = in_order._READ_BYTES = size  # noqa: SLF001
            write_json_lines(rows, folder / "out.jsonl", None)
            find_in_order(some, rows, (b',"x"',), SucceededLines(folder / "lines"))


def parse_into_columns(folder):
    """Columns of each cell in each type; what they are written to ends before such a page, too."""
    arrow_rows.address_of = fence_windows()
    rows = folder / "rows.csv"
    for kind, cell, end in product(KINDS, (*CELLS, *VALUES), (b'"\n', b"")):
        rows.write_bytes(b'"A","B"\n' + b'"",""\n' * 20 + b'"","' + cell + end)
        columns = TypedColumn("A", kind, 18, 15), TypedColumn("B", kind, 18, 15)
        for size in (50, 1000):
            arrow_rows._READ_BYTES = size  # noqa: SLF001
            parsed = arrow_rows._parsed(rows, columns)  # noqa: SLF001
            try:
                for batch in parsed._read():  # noqa: SLF001
                    batch.give_back()
            except arrow_rows._RareError:  # noqa: SLF001
                pass


def look_for_exponents(folder):
    """Numbers that end anywhere."""
    fence_windows()
    rows = folder / "rows.csv"
    for cell in (*CELLS, b'"-1.25E-5"', b'"9.5E8"x'):
        for stop in range(len(cell) + 1):
            rows.write_bytes(cell[:stop])
            exponents.has_exponent(rows)
            rows.write_bytes(b'"A","B"\n"","1.0E7"\n' + b'"x",' + cell[:stop])
            exponents._rewritten(rows, folder / "out", [True, True])  # noqa: SLF001


@pytest.mark.parametrize(
    ("look", "needs_folder"),
    [
        (look_at_every_cell, False),
        (look_through_windows, True),
        (parse_into_columns, True),
        (look_for_exponents, True),
    ],
)
def test_no_value_is_read_beyond_its_end(monkeypatch, tmp_path, look, needs_folder):
    compile_always(monkeypatch)
    monkeypatch.setattr(arrow_rows, "_PAYS_FROM", 0)
    given = (tmp_path,) if needs_folder else ()
    child = multiprocessing.get_context("fork").Process(target=look, args=given)
    child.start()
    child.join()
    assert child.exitcode == 0
