"""Computed cells are put into rows; other numbers of them than places are refused."""

import io

import pytest

from runner.tables.plain_csv import read_blocks
from runner.tables.staging import splice as splicing
from runner.tables.staging.splice import splice
from tests.luajit_choice import compile_never

ROWS = [b"a,\0,b,\0\nc,\0,d,\0\n", b'"e\n",\0,f,\0\n', b"g,\0,h,\0\n"]
CELLS = b'1,"2,""\n"\n,\n3,4\n5,6\n'


def test_each_cell_comes_to_its_place(monkeypatch):
    monkeypatch.setattr(splicing, "_READ_BYTES", 3)
    found = b"".join(splice(ROWS, io.BytesIO(CELLS), 2))
    assert found == b'a,1,b,"2,""\n"\nc,,d,\n"e\n",3,f,4\ng,5,h,6\n'


@pytest.mark.parametrize("cells", [b"", CELLS[:-4], CELLS + b"7,8\n", CELLS[:-1], b'"1,2\n'])
def test_other_numbers_of_cells_are_refused(cells):
    with pytest.raises(ValueError, match="cells"):
        list(splice(ROWS, io.BytesIO(cells), 2))


def test_without_luajit_it_is_refused(monkeypatch):
    compile_never(monkeypatch)
    with pytest.raises(ValueError, match="no LuaJIT"):
        list(splice(ROWS, io.BytesIO(CELLS), 2))


def test_records_are_read_in_blocks_whose_quotes_are_closed():
    content = b'a,b\n"c\nd",e\nf,"g\n\nh"\ni,j\n'
    for size in range(1, len(content)):
        blocks = list(read_blocks(io.BytesIO(content), size))
        assert b"".join(blocks) == content
        assert all(block.endswith(b"\n") and block.count(b'"') % 2 == 0 for block in blocks)
    with pytest.raises(ValueError, match="never closed"):
        list(read_blocks(io.BytesIO(b'a,"b\nc\n'), 2))
