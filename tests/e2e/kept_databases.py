"""DuckDB databases that a process opens before it forks; each fork takes some instead of its own.

To open one takes 20 ms, a fifth of a short run. Threads do not survive a fork, so they are opened
without any, and the fork starts those that any database has. Knows DuckDB and nothing of runs.
"""

from pathlib import Path

from runner.tables import database, duckdb
from runner.tables.database import _SETTINGS
from runner.tables.staging import expressions

COUNT = 5
"""As many as most runs of tests open."""
THREADS = "async_threads"
_open = duckdb.connect
_closed = database.Database.close
_kept = []
_held = []
"""Those that a fork has taken."""


def connect(where, config=None):
    """What the product calls: a kept one, where it asks for the settings that those have."""
    if _kept and config and config.items() >= _SETTINGS.items():
        kept, left = _kept.pop()
        for name, value in {**config, **left}.items():
            if _SETTINGS.get(name) != value:
                kept.execute(f"SET {name} = '{value}'")
        _held.append(kept)
        return kept
    return _open(where, config=config or {})


def close(opened):
    """Leave what a fork would free at its end anyway: a database's pages are not its own."""
    if not opened._is_open or opened._root not in _held:  # noqa: SLF001 - what is replaced
        _closed(opened)


def keep():
    """Open them, and the one that expressions of jobs are parsed with."""
    with _open(":memory:") as usual:
        question = "SELECT name, value FROM duckdb_settings() WHERE name = ?"
        threads = dict(usual.execute(question, [THREADS]).fetchall())
    none = dict.fromkeys(threads, "0")
    made = [_open(":memory:", config={**_SETTINGS, **none}) for _ in range(COUNT)]
    if len(list(Path("/proc/self/task").glob("*"))) != 1:
        return  # another release or another system: a fork would wait for threads that it lacks
    _kept.extend((each, threads) for each in made)
    duckdb.connect = lambda where, config: _open(where, config={**config, **none})
    expressions._volatile_functions()  # noqa: SLF001 - what it opens is cached
    duckdb.connect = connect
    database.Database.close = close
