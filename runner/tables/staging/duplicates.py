"""Rows of one source that have the same key: only one of them is sent.

Which of them the org would keep depends on what it answers first, and one request may not name a
record twice. A row that failed for this reason does so again, unless its key has changed: sent
alone, by a retry, it would replace the row that was kept. Knows staged rows and keys. Knows nothing
of the org.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.files import unwritable
from runner.job.choices import Duplicates
from runner.tables.database import storage_errors
from runner.tables.sources.csv import CODE_COLUMN, MESSAGE_COLUMN
from runner.tables.sql import literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.key_hashes import key_of, same
from runner.tables.staging.mapping import ColumnMapping, reads_results
from runner.tables.staging.problems import DUPLICATE_KEY, SUPERSEDED, problem, shown
from runner.tables.staging.rewrite import rewrite_chunks
from runner.tables.staging.rows import StagedRows

_SAME_KEY = " has the same key '"


def settle_duplicates(staging: StagedRows, keep: Duplicates) -> None:
    """Let one row of each key be sent.

    Args:
        staging: The rows, mapped.
        keep: Which row; the others fail, or are skipped if the job says which one counts.

    Raises:
        StateError: The rows cannot be stored.
    """
    key = key_of(staging.mappings)
    if key is None:
        return
    if keep is Duplicates.FAIL:
        _settle_earlier(staging, key)
    with storage_errors("Rows of the same key cannot be found"):
        chunks = _chunks_to_look_at(staging)
        if not (chunks and _find(staging, key, chunks, keep)):
            return
    name = key.column.label
    text = f"{literal(f'{name}: row ')} || format('{{:,}}', kept) || {_same_key(key)}"
    code = DUPLICATE_KEY if keep is Duplicates.FAIL else SUPERSEDED
    why = f"CASE WHEN kept IS NOT NULL THEN {problem(name, code, text)} END"
    only = {chunk.first_row for chunk in chunks}
    rewrite_chunks(staging, {}, why, known="duplicate", only=only)


def _same_key(key: ColumnMapping) -> str:
    """SQL of how the message for a row `s` ends."""
    return f"{literal(_SAME_KEY)} || {shown(f's.{key.cell}')} || ''''"


def _settle_earlier(staging: StagedRows, key: ColumnMapping) -> None:
    """Let rows fail again that failed in an earlier task or run because of the same key."""
    columns = staging.source_columns
    if not {CODE_COLUMN, MESSAGE_COLUMN} <= set(columns) or reads_results(staging.mappings):
        return
    code, message = (f"s{columns.index(each)}" for each in (CODE_COLUMN, MESSAGE_COLUMN))
    failed = f"{code} = {literal(DUPLICATE_KEY)} AND ends_with({message}, {_same_key(key)})"
    connection = staging.database.connection
    with storage_errors("Rows of the same key cannot be found"):
        connection.execute("CREATE TABLE failed_before (row BIGINT, message VARCHAR)")
        for chunk in (each for each in staging.chunks if each.sendable):
            rows = f"{chunk.source_rows(columns)} JOIN {chunk.sent_rows()} s USING (row)"
            found = f"SELECT row, {message} FROM {rows} WHERE {failed}"
            connection.execute(f"INSERT INTO failed_before {found}")
        if not connection.execute("FROM failed_before LIMIT 1").fetchall():
            return
    why = problem(key.column.label, DUPLICATE_KEY, "message")
    rewrite_chunks(staging, {}, f"CASE WHEN message <> '' THEN {why} END", known="failed_before")


def _chunks_to_look_at(staging: StagedRows) -> list[RowChunk]:
    """The chunks with keys whose hash occurs twice."""
    keys = staging.keys
    try:
        if keys is None or not keys.has_any or keys.all_differ():
            return []
    except OSError as error:
        raise unwritable(staging.folder, error, "{} cannot be read") from error
    connection, of_bytes = staging.database.connection, _stems(keys.of_bytes)
    for chunk in (each for each in staging.chunks if each.stem.name in of_bytes):
        hashes = f"(SELECT {keys.sql} AS hash FROM {chunk.sent_rows()})"
        index = of_bytes[chunk.stem.name]
        keys.save(connection, index, hashes, str(index))
    rows = staging.rows_total - staging.rejected_total
    stems = _stems(keys.find_repeated(connection, rows))
    return [each for each in staging.chunks if each.stem.name in stems and each.sendable]


def _stems(chunks: Iterable[int]) -> dict[str, int]:
    """Numbers of chunks, by the names of their files."""
    return {f"chunk-{index}": index for index in chunks}


def _find(staging: StagedRows, key: ColumnMapping, chunks: list[RowChunk], keep: Duplicates) -> int:
    """Fill the table of rows whose key another row has that is kept; give how many there are."""
    connection = staging.database.connection
    connection.execute("CREATE TABLE candidate (row BIGINT, k VARCHAR)")
    for chunk in chunks:
        keys = f"SELECT row, {same(key)} AS k FROM {chunk.sent_rows()} WHERE {key.cell} <> ''"
        hashed = f"SELECT *, hash(k) AS hash FROM ({keys})"
        some = f"SELECT row, k FROM ({hashed}) SEMI JOIN repeated USING (hash)"
        connection.execute(f"INSERT INTO candidate {some}")
    kept = "max" if keep is Duplicates.LAST else "min"
    connection.execute(
        "CREATE TABLE duplicate AS SELECT row, kept FROM candidate"
        f" JOIN (SELECT k, {kept}(row) AS kept FROM candidate GROUP BY k HAVING count(*) > 1)"
        " USING (k) WHERE row <> kept"
    )
    return int(connection.execute("SELECT count(*) FROM duplicate").fetchall()[0][0])
