"""What a run of tests does once, before its workers start. Knows pytest and the machine, no test.

Python writes what it compiles, unless PYTHONDONTWRITEBYTECODE forbids it, as it often does in CI:
then each of hundreds of processes would compile the product anew, and each worker all tests.
"""

import compileall
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a private folder in it
ENOUGH_BYTES = 4 << 30


def allow_compiled_files():
    """In each process that runs tests, and in those that it starts."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def compile_all(config):
    """The product, and the tests with their asserts rewritten: half of what a worker's start takes.

    The names are pytest's own business. Where another release has others, workers do it themselves.
    """
    compileall.compile_dir(ROOT / "runner", quiet=2)
    if getattr(config.option, "numprocesses", None):
        with suppress(ImportError, AttributeError, KeyError, TypeError):
            _rewrite(config)


def _rewrite(config):
    from _pytest.assertion import rewrite  # noqa: PLC0415 - see compile_all

    state = config.stash[rewrite.assertstate_key]
    asked = [Path(arg.partition("::")[0]).resolve() for arg in config.args]
    files = [
        file
        for pattern in ("test_*.py", "conftest.py")
        for file in ROOT.glob(f"tests/**/{pattern}")
        if any(file.is_relative_to(each) for each in asked)
    ]
    compiled = {
        file: rewrite.get_cache_dir(file) / (file.stem + rewrite.PYC_TAIL) for file in files
    }
    left = [file for file in files if rewrite._read_pyc(file, compiled[file]) is None]  # noqa: SLF001
    count = os.cpu_count() or 1
    children = []
    for number in range(count if left else 0):
        child = os.fork()
        if child:
            children.append(child)
            continue
        with suppress(Exception):  # a file that is no Python: the worker that reads it says so
            for file in left[number::count]:
                rewrite.try_makedirs(compiled[file].parent)
                written, code = rewrite._rewrite_test(file, config)  # noqa: SLF001
                rewrite._write_pyc(state, code, written, compiled[file])  # noqa: SLF001
        os._exit(0)
    for child in children:
        os.waitpid(child, 0)


def files_in_memory(config):
    """Files of tests go where waiting for the disk costs nothing, if there is room.

    `--basetemp` and PYTEST_DEBUG_TEMPROOT choose another place.
    """
    if config.option.basetemp or not os.access(MEMORY, os.W_OK):
        return
    there = os.statvfs(MEMORY)
    runs_programs = not there.f_flag & os.ST_NOEXEC
    if runs_programs and there.f_bavail * there.f_frsize >= ENOUGH_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def prepare(config: pytest.Config):
    """Do all of it, as the process that starts the workers or has none."""
    allow_compiled_files()
    if not hasattr(config, "workerinput"):
        compile_all(config)
        files_in_memory(config)
