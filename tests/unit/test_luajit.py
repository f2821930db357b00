"""Functions in Lua: each thread has its own, and there is none where LuaJIT is not."""

import sys
from pathlib import Path
from threading import Thread, local

import pytest

import runner
from runner import luajit

BEFORE = {"as_is.lua": "canonical.lua"}
"""What another file has to know."""
FILES = sorted(
    file
    for file in Path(runner.__file__).parent.rglob("*.lua")
    if file.name not in {"luajit.lua", *BEFORE.values()}
)
LARGE = 10_000_000


@pytest.fixture(autouse=True)
def new_thread_state(monkeypatch):
    monkeypatch.setattr(luajit, "_of_thread", local())
    luajit.can_compile.cache_clear()
    yield
    luajit.can_compile.cache_clear()


def function(folder, text):
    file = folder / "some.lua"
    file.write_text(text)
    return file


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_gives_a_function(file):
    before = [file.with_name(BEFORE[file.name])] if file.name in BEFORE else []
    assert callable(luajit.compiled(file, LARGE, *before))


def test_bytes_go_in_and_out_as_they_are(tmp_path):
    file = function(tmp_path, "return function(text, flag) return text .. text, #text, flag end")
    every = bytes(range(256))
    assert luajit.compiled(file, LARGE)(every, True) == (every * 2, 256, True)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_bytes_are_read_where_they_are(tmp_path, kind):
    text = "return function(at, size) return ffi.string(bytes_at(at), size + 1) end"
    content = kind(b"a\0b" * 1_000)
    read = luajit.compiled(function(tmp_path, text), LARGE)
    assert read(luajit.address_of(content), len(content)) == bytes(content) + b"\0"


def test_each_thread_has_its_own(tmp_path):
    text = "local calls = 0; return function() calls = calls + 1; return calls end"
    count = luajit.compiled(function(tmp_path, text), LARGE)
    assert (count(), count()) == (1, 2)
    found = []
    thread = Thread(target=lambda: found.append(luajit.compiled(tmp_path / "some.lua", LARGE)()))
    thread.start()
    thread.join()
    assert found == [1]
    assert luajit.compiled(tmp_path / "some.lua", LARGE)() == 3


def test_there_is_none_for_few_bytes_nor_without_the_library(tmp_path, monkeypatch):
    file = function(tmp_path, "return function() end")
    assert luajit.compiled(file, 1_000) is None
    monkeypatch.delitem(sys.modules, "lupa.luajit21", raising=False)
    monkeypatch.setitem(sys.modules, "lupa", None)
    assert luajit.compiled(file, LARGE) is None


def test_one_that_is_there_is_used_for_few_bytes_too(tmp_path):
    file = function(tmp_path, "return function() end")
    assert luajit.compiled(file, LARGE) is luajit.compiled(file, 1_000)


def test_there_is_none_where_luajit_only_interprets(tmp_path, monkeypatch):
    monkeypatch.setattr(
        luajit, "_SIMPLE_LOOP", b"jit.off(); return require('jit.util').traceinfo(1) ~= nil"
    )
    assert luajit.compiled(function(tmp_path, "return function() end"), LARGE) is None
