"""DuckDB databases that a process opens before it forks; each fork takes some instead of its own.

To open one takes 20 ms, a fifth of a short run, and its first statements 5 ms. Threads do not
survive a fork, so they are opened without any, and the fork starts those that any database
has. Knows DuckDB and nothing of runs.
"""

from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.tables import database, duckdb
from runner.tables.database import _SETTINGS
from runner.tables.sql import CsvDialect, copy_csv, read_csv
from runner.tables.staging import expressions
from runner.tables.staging.canonical_values import MACROS

COUNTS = {True: 3, False: 2}
"""As many as most runs of tests open, with the macros of staged rows and without."""
THREADS = "async_threads"
FIRST = (
    "SELECT count(*), count(DISTINCT k), bool_or(row = 1), string_agg(chr(97 + row), '') FROM t",
    (
        "SELECT a.row, split_part(a.c, ':', 1), regexp_extract(a.c, 'x', 1),"
        " row_number() OVER (PARTITION BY a.k) FROM t a LEFT JOIN t b USING (k)"
        " ANTI JOIN t c ON c.row = a.row + 1 WHERE regexp_matches(a.c, 'x') ORDER BY a.row LIMIT 1"
    ),
)
"""As most runs ask: DuckDB makes its functions and the forms of CSV when they are first met."""
_open = duckdb.connect
_closed = database.Database.close
_root = database.Database._root.func  # noqa: SLF001 - the part that is replaced
_kept = {}
_held = []
"""Those that a fork has taken."""


def connect(where, config=None, *, has_macros=False):
    """What the product calls: a kept one, where it asks for the settings that those have."""
    if _kept.get(has_macros) and config and config.items() >= _SETTINGS.items():
        kept, left = _kept[has_macros].pop()
        for name, value in {**config, **left}.items():
            if _SETTINGS.get(name) != value:
                kept.execute(f"SET {name} = '{value}'")
        _held.append(kept)
        return kept
    return _open(where, config=config or {})


def root(opened):
    """One that has the macros, where they are what the database begins with."""
    asked = opened._statements  # noqa: SLF001
    if not _kept.get(True) or asked[-len(MACROS) :] != MACROS:
        return _root(opened)
    with database.storage_errors("Rows cannot be stored on this machine"):
        kept = connect(":memory:", opened._config, has_macros=True)  # noqa: SLF001
        for statement in asked[: -len(MACROS)]:
            kept.execute(statement)
    opened._is_open = True  # noqa: SLF001
    return kept


def close(opened):
    """Leave what a fork would free at its end anyway: a database's pages are not its own."""
    if not opened._is_open or opened._root not in _held:  # noqa: SLF001 - what is replaced
        _closed(opened)


def use(kept):
    """Have it do what runs do, and leave nothing in it."""
    with TemporaryDirectory() as folder, kept.cursor() as cursor:
        read, written = Path(folder, "read.csv"), Path(folder, "written.csv")
        read.write_text('1,"x"\n', encoding="utf-8")
        rows = read_csv(read, CsvDialect(("c0", "c"), 10))
        cursor.execute(
            "CREATE TEMP TABLE t AS SELECT CAST(row_number() OVER () AS INT) AS row,"
            f" hash(c0) AS k, c FROM {rows}"
        )
        for statement in FIRST:
            cursor.execute(statement).fetchall()
        cursor.execute(copy_csv("FROM t", written, header=False))
        cursor.execute("DROP TABLE t")


def keep():
    """Open them, and the one that expressions of jobs are parsed with."""
    with _open(":memory:") as usual:
        question = "SELECT name, value FROM duckdb_settings() WHERE name = ?"
        threads = dict(usual.execute(question, [THREADS]).fetchall())
    none = dict.fromkeys(threads, "0")
    made = {
        has_macros: [_open(":memory:", config={**_SETTINGS, **none}) for _ in range(count)]
        for has_macros, count in COUNTS.items()
    }
    for each in (*made[True], *made[False]):
        use(each)
    for each in made[True]:
        for macro in MACROS:
            each.execute(macro)
    if len(list(Path("/proc/self/task").glob("*"))) != 1:
        return  # another release or another system: a fork would wait for threads that it lacks
    for has_macros, databases in made.items():
        _kept[has_macros] = [(each, threads) for each in databases]
    duckdb.connect = lambda where, config: _open(where, config={**config, **none})
    expressions._volatile_functions()  # noqa: SLF001 - what it opens is cached
    duckdb.connect = connect
    replaced = cached_property(root)
    replaced.__set_name__(database.Database, "_root")
    database.Database._root = replaced  # noqa: SLF001
    database.Database.close = close
