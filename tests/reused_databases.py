"""DuckDB databases that the tests of one process use one after the other.

To open one takes 15 ms and its first statements 5 ms, for DuckDB makes thousands of functions. One
that is closed is emptied instead, and is the next that is opened. Knows DuckDB and `Database`, no
test. `kept_databases.py` does the like for forks, each of which ends with its databases.
"""

import os
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from runner.tables import database
from runner.tables.database import _OPTIMIZERS, Database
from runner.tables.staging.canonical_values import MACROS

USUAL = (_OPTIMIZERS,)
SPILLED = "max_temp_directory_size"
SET_ANEW = {"memory_limit", "temp_directory", SPILLED}
OF_MEMORY = {"max_memory", "write_buffer_row_group_memory_limit"}
"""Settings that follow from its limit."""
MADE = " UNION ALL ".join(
    f"SELECT {rank}, '{kind}', database_name, {place}, {kind}_name FROM duckdb_{kind}s()"
    " WHERE NOT internal"
    for rank, kind, place in (
        (1, "view", "schema_name"),
        (2, "table", "schema_name"),
        (3, "type", "schema_name"),
        (4, "schema", "NULL"),
        (5, "database", "NULL"),
    )
)
"""What is there beyond what DuckDB has put there, in an order in which it can be dropped."""
MEMORY = (5, "database", "memory", None, "memory")
IS_CONFINED = "SELECT NOT current_setting('enable_external_access')"
DROP_MACROS = ";".join(
    made.partition("(")[0].replace("CREATE MACRO", "DROP MACRO IF EXISTS") for made in MACROS
)
FUNCTIONS = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal ORDER BY 1"
SETTINGS = "SELECT name, value FROM duckdb_settings() ORDER BY name"

_open, _close = Database._root.func, Database.close  # noqa: SLF001 - the parts that are replaced
_empty = defaultdict(list)
"""By process, as a fork has no threads of its parent's, and by whether they have the macros."""
_began = {}
"""By the same, functions and settings when nothing had been done yet."""
_closed = []
"""A closed connection, for whoever uses a database after its end."""


def kind_of(opened):
    """Of which others it can be one, or None: a test has had more done in it."""
    asked = opened._statements  # noqa: SLF001
    has_macros = asked == (*USUAL, *MACROS)
    return (os.getpid(), has_macros) if has_macros or asked == USUAL else None


def root(opened):
    """One that was emptied, with the settings of this one; or a new one."""
    from runner.tables import duckdb  # noqa: PLC0415 - most tests need none

    kind, config = kind_of(opened), opened._config  # noqa: SLF001
    while kind and _empty[kind]:
        again = _empty[kind].pop()
        try:
            for name, value in config.items():
                if name in SET_ANEW:
                    again.execute(f"SET {name} = '{value}'")
            if SPILLED not in config:
                again.execute(f"RESET {SPILLED}")
        except duckdb.Error:  # it has spilled
            again.close()
            continue
        opened._is_open = True  # noqa: SLF001
        return again
    made = _open(opened)
    if kind and kind not in _began:
        _began[kind] = state_of(made)
    return made


def state_of(opened):
    """Its functions and settings."""
    settings = opened.execute(SETTINGS).fetchall()
    lasting = [each for each in settings if each[0] not in SET_ANEW | OF_MEMORY]
    return opened.execute(FUNCTIONS).fetchall(), lasting


def close(opened):
    """Empty it for the next, if it is only a matter of dropping what was made in it."""
    kind = kind_of(opened) if opened.is_open else None
    was = vars(opened).get("_root")
    if kind is None or was is None or not is_emptied(opened, was, has_macros=kind[1]):
        _close(opened)
        return
    _empty[kind].append(was)
    vars(opened)["_root"] = closed_one()


def is_emptied(opened, was, *, has_macros):
    """Drop what was made in it."""
    from runner.tables import duckdb  # noqa: PLC0415

    if Path(opened._config["temp_directory"]).exists():  # noqa: SLF001 - removed as it closes
        return False
    try:
        if "connection" in vars(opened):
            opened.connection.close()
        if was.execute(IS_CONFINED).fetchone() == (True,):
            return False  # for SQL of a user, once and for all
        made = sorted(was.execute(MADE).fetchall())
        if made.pop() != MEMORY or (made and made[-1][1] == "database"):
            return False  # a file was attached
        for _, kind, *place in made:
            path = ".".join('"' + each.replace('"', '""') + '"' for each in place if each)
            was.execute(f"DROP {kind} {path} CASCADE")
        if not has_macros:
            was.execute(DROP_MACROS)  # sources of typed values make theirs when they need them
    except duckdb.Error:  # somebody is still at work in it
        return False
    return True


def closed_one():
    from runner.tables import duckdb  # noqa: PLC0415

    if not _closed:
        _closed.append(duckdb.connect(":memory:"))
        _closed[0].close()
    return _closed[0]


def reuse_databases():
    """From now on, in this process."""
    replaced = cached_property(root)
    replaced.__set_name__(Database, "_root")
    database.Database._root = replaced  # noqa: SLF001
    database.Database.close = close


def left_behind():
    """What a test has changed in one of them that the next would meet."""
    return [
        sorted({*map(str, now)} ^ {*map(str, before)})
        for kind, kept in _empty.items()
        if kind[0] == os.getpid()
        for each in kept
        for now, before in zip(state_of(each), _began[kind], strict=True)
        if now != before
    ]
