"""What was sent, as an undo finds it after the staged rows are gone."""

import pytest

from runner.errors import StateError
from runner.tables.database import Database
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sql import read_parquet
from runner.tables.staging.snapshot import save_snapshot, staged_files
from runner.tables.undo.after_images import (
    WrittenColumn,
    WrittenIndex,
    after_image_files,
    read_index,
    save_after_images,
)

COLUMNS = [
    MappedColumn("Name", "name"),
    MappedColumn("Id", "id"),
    MappedColumn("Score__c", "score", FieldKind.NUMBER),
]
INDEX = WrittenIndex(
    (WrittenColumn("Score__c", "Score__c", "double"), WrittenColumn("Name", "Name", "string")),
    has_before_images=False,
)
SOURCE = b'id,name,score\n1,Ann,1e2\n2,Bob,x\n3,"a, ""b""\nc",\n'
SENT = [(1, "100", "Ann", "1"), (3, None, 'a, "b"\nc', "3")]


def sent(folder, work):
    work.mkdir()
    database = Database(work)
    try:
        files = after_image_files(database, folder, work)
        return database.connection.execute(f"FROM {read_parquet(files)} ORDER BY row").fetchall()
    finally:
        database.close()


def test_what_was_sent_is_there_after_the_rows_are_discarded(stage, tmp_path):
    """Under the rows' own numbers, though one of them was rejected, and for the owner only."""
    staging = stage(SOURCE, COLUMNS)
    save_after_images(staging, tmp_path / "undo", INDEX)
    staging.discard()
    assert sent(tmp_path / "undo", tmp_path / "work") == SENT
    assert read_index(tmp_path / "undo") == INDEX
    files = [each for each in (tmp_path / "undo").rglob("*") if each.is_file()]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}


def test_a_file_system_without_links_gets_copies(stage, tmp_path, monkeypatch):
    def refuse(self, target):
        raise PermissionError(1, "Operation not permitted", str(self))

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    save_after_images(stage(SOURCE, COLUMNS), tmp_path / "undo", INDEX)
    assert sent(tmp_path / "undo", tmp_path / "work") == SENT


def test_a_snapshot_can_still_be_resumed(stage, tmp_path):
    staging = stage(SOURCE, COLUMNS)
    save_snapshot(staging, tmp_path / "rows", staged_files(staging))
    save_after_images(staging, tmp_path / "undo", INDEX)
    assert all(file.exists() for chunk in staging.chunks for file in chunk.files)


def test_a_file_that_is_gone_is_an_error(stage, tmp_path):
    save_after_images(stage(SOURCE, COLUMNS), tmp_path / "undo", INDEX)
    next((tmp_path / "undo").rglob("*.rejected.csv")).unlink()
    with pytest.raises(StateError, match="What was sent cannot be read"):
        sent(tmp_path / "undo", tmp_path / "work")
