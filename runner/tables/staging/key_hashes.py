"""A hash of each row's key, from which it shows whether a key occurs twice.

Eight bytes a row in files, written while rows are staged: the keys themselves are only read again
if two hashes are equal. Files, because memory is not to grow with the rows; the hashes are compared
some at a time. They are DuckDB's, or those of who looks at the bytes of keys, which differ. Knows
mappings. Knows nothing of what is in chunks.
"""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.luajit import PAYS_FROM, address_of, compiled
from runner.tables.field_types import FieldKind
from runner.tables.sql import literal, read_parquet
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.mapping import ColumnMapping

if TYPE_CHECKING:
    from runner.tables import duckdb

_COMPARED_AT_ONCE = 500_000
"""Hashes: grouping them takes 40 bytes each."""
_DIVIDED_AT_ONCE = 32
"""Files: DuckDB holds what it has read of them."""
_REPEATED = Path(__file__).with_name("repeated.lua")
_HASH_BYTES = 8
_JOINED_AT_ONCE = 8
"""Files, with 40,000 hashes each, mostly."""


def key_of(mappings: Sequence[ColumnMapping]) -> ColumnMapping | None:
    """The column whose values identify the rows' records."""
    return next((each for each in mappings if each.column.tells_case is not None), None)


def same(key: ColumnMapping) -> str:
    """SQL of a text that is the same for keys that the org takes for the same; NULL for blank."""
    tells_case = bool(key.column.tells_case)
    if key.column.kind is not FieldKind.TEXT:
        return same_key(key.column.kind, key.cell, tells_case=tells_case)
    return key.cell if tells_case else f"lower({key.cell})"  # a staged key is trimmed


class KeyHashes(Struct, frozen=True):
    """The hashes of the keys of a source's rows; threads may share it."""

    folder: Path
    """Where the files are."""
    sql: str
    """Of a hash, given the cells of a row to send."""

    def save(
        self, connection: duckdb.DuckDBPyConnection, index: int, hashes: str, chunk: str
    ) -> None:
        """Write the hashes of some chunks.

        Args:
            connection: Knows the relation.
            index: The number of the first chunk.
            hashes: SQL of a relation, which has the column `hash`.
            chunk: SQL of the number of each row's chunk.
        """
        file = self.folder / f"keys-{index}.parquet"
        connection.execute(
            f"COPY (SELECT hash, CAST({chunk} AS INTEGER) AS chunk FROM {hashes})"
            f" TO {literal(str(file))} (FORMAT parquet, COMPRESSION uncompressed)"
        )

    def save_compiled(self, index: int, hashes: bytes) -> None:
        """Write the hashes of a chunk that was only looked at as bytes.

        Raises:
            OSError: They cannot be written.
        """
        (self.folder / f"keys-{index}.bin").write_bytes(hashes)

    @property
    def has_any(self) -> bool:
        """Whether hashes were written; DuckDB writes them while it maps rows."""
        return next(self.folder.glob("keys-*"), None) is not None

    @property
    def of_bytes(self) -> list[int]:
        """The chunks whose hashes are of bytes."""
        return [int(file.stem.removeprefix("keys-")) for file in self.folder.glob("keys-*.bin")]

    def all_differ(self) -> bool:
        """Whether all hashes are of bytes, and no two of them are equal.

        Raises:
            OSError: They cannot be read.
        """
        files = sorted(self.folder.glob("keys-*"))
        if any(file.suffix != ".bin" for file in files):
            return False
        function = compiled(_REPEATED, PAYS_FROM)
        if function is None:  # another machine has looked at the bytes
            return False
        hashes = sum(file.stat().st_size for file in files) // _HASH_BYTES
        turns = 1 + hashes // _COMPARED_AT_ONCE
        if turns == 1:
            return not _compare(function, _joined(files), 1)
        folder = self.folder / "keys"
        folder.mkdir()
        for at in range(0, len(files), _JOINED_AT_ONCE):
            content = _joined(files[at : at + _JOINED_AT_ONCE])
            divided, sizes = _compare(function, content, turns)
            start = 0
            for turn, size in enumerate(array("I", sizes)):
                with (folder / str(turn)).open("ab") as out:
                    out.write(divided[start : start + size])
                start += size
        differ = not any(_compare(function, turn.read_bytes(), 1) for turn in folder.iterdir())
        shutil.rmtree(folder)
        return differ

    def find_repeated(self, connection: duckdb.DuckDBPyConnection, rows: int) -> list[int]:
        """Make the table `repeated` of hashes that occur twice; give the chunks they are in.

        Args:
            connection: Where to make it; it has written the hashes of every chunk.
            rows: How many hashes there are, about.
        """
        files = sorted(self.folder.glob("keys-*.parquet"))
        connection.execute("CREATE TABLE repeated (hash UBIGINT)")
        saved = read_parquet(files)
        for some in self._in_turns(connection, files, 1 + rows // _COMPARED_AT_ONCE):
            connection.execute(
                f"INSERT INTO repeated SELECT hash FROM {read_parquet(some)}"
                " GROUP BY hash HAVING count(*) > 1"
            )
        found: list[tuple[int]] = []
        if connection.execute("FROM repeated LIMIT 1").fetchall():
            asked = f"SELECT DISTINCT chunk FROM {saved} SEMI JOIN repeated USING (hash)"
            found = connection.execute(asked).fetchall()
        for file in self.folder.glob("keys-*"):
            file.unlink()
        return [chunk for (chunk,) in found]

    def _in_turns(
        self, connection: duckdb.DuckDBPyConnection, files: list[Path], turns: int
    ) -> Iterator[list[Path]]:
        """Files with a share of the hashes each: equal ones in the same turn.

        They are divided in one pass, for to read every file in every turn takes longer with the
        square of the rows.
        """
        if turns == 1:
            yield files
            return
        folder = self.folder / "keys"
        for at in range(0, len(files), _DIVIDED_AT_ONCE):
            some = read_parquet(files[at : at + _DIVIDED_AT_ONCE])
            connection.execute(
                f"COPY (SELECT hash, hash % {turns} AS turn FROM {some}) TO {literal(str(folder))}"
                " (FORMAT parquet, COMPRESSION uncompressed, PARTITION_BY (turn), APPEND)"
            )
        for turn in folder.iterdir():
            yield list(turn.iterdir())
        shutil.rmtree(folder)


def key_hashes(mappings: Sequence[ColumnMapping], folder: Path) -> KeyHashes | None:
    """The hashes of rows to be staged with these mappings; None if they have no key."""
    key = key_of(mappings)
    return None if key is None else KeyHashes(folder, f"hash({same(key)})")


def _joined(files: Sequence[Path]) -> bytes:
    return b"".join(file.read_bytes() for file in files)


def _compare(function: Callable[..., Any], hashes: bytes, turns: int) -> Any:  # noqa: ANN401 - of Lua
    return function(address_of(hashes), len(hashes) // _HASH_BYTES, turns)
