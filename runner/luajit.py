"""Functions in Lua, compiled by LuaJIT, for what has to look at every byte.

They take less than half the time of Python's functions for bytes, and other threads run
meanwhile. lupa brings LuaJIT, but not for every processor, and some systems let no program make
code: then there is none, and what calls them does it in Python. Knows how to load a function.
Knows nothing of what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import local
from typing import Any, Protocol

PAYS_FROM = 2_000_000
"""Bytes; for fewer, loading and compiling takes longer than it saves."""
_COMMON = Path(__file__).with_suffix(".lua")
_SIMPLE_LOOP = b"""
local sum = 0
for number = 1, 1000 do sum = sum + number % 7 end
return require("jit.util").traceinfo(1) ~= nil
"""
_of_thread = local()


def compiled(file: Path, size: int, *before: Path) -> Callable[..., Any] | None:
    """Load the function that a file of Lua returns, for this thread only.

    Args:
        file: Of Lua, in which `luajit.lua` is known. The function takes and gives numbers and
            bytes, which are copied; many are given by their address.
        size: Bytes that there are for it.
        before: Files of what else is known in it.

    Returns:
        None if they are too few to load it for them, or if LuaJIT cannot compile on this machine.
    """
    functions: dict[Path, Callable[..., Any]] = _of_thread.__dict__.setdefault("functions", {})
    if file not in functions:
        if size < PAYS_FROM or not can_compile():
            return None
        functions[file] = _runtime().execute(
            b"".join(each.read_bytes() for each in (_COMMON, *before, file))
        )
    return functions[file]


def address_of(content: bytes | bytearray) -> int:
    """Where bytes are in memory, for a function that is to read them without a copy.

    Who asks keeps the content until the function returns. A zero follows the last byte, as CPython
    promises for both.
    """
    import ctypes

    if isinstance(content, bytearray):
        return ctypes.addressof(ctypes.c_char.from_buffer(content))
    return ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p).value or 0


@cache
def can_compile() -> bool:
    """Whether LuaJIT is there and may make code."""
    try:
        return bool(_new_runtime().execute(_SIMPLE_LOOP))
    except ImportError:
        return False


class _Runtime(Protocol):
    def execute(self, lua: bytes) -> Any:  # noqa: ANN401 - what the code returns
        """Run code."""


def _runtime() -> _Runtime:
    """Each thread has its own: only one may use it at a time."""
    if not hasattr(_of_thread, "runtime"):
        _of_thread.runtime = _new_runtime()
    runtime: _Runtime = _of_thread.runtime
    return runtime


def _new_runtime() -> _Runtime:
    from lupa import luajit21  # type: ignore[import-untyped]

    runtime: _Runtime = luajit21.LuaRuntime(
        encoding=None, register_eval=False, register_builtins=False
    )
    return runtime
