"""Staged rows that outlive their process: what is read again is what was saved, or refused."""

import json

import pytest

from runner.tables.field_types import MappedColumn
from runner.tables.staging.snapshot import (
    DamagedRowsError,
    read_snapshot,
    save_snapshot,
    staged_files,
)


@pytest.fixture
def saved(stage, tmp_path):
    """A folder with the rows, one of which is not sent, and what identifies them."""
    staging = stage(b"a,b\n1,x\n,y\n3,z\n", [MappedColumn("A__c", "a", required=True)])
    files = staged_files(staging)
    other = tmp_path / "rows" / "other.csv"

    def add():
        other.write_text("row\n1\n")
        return [other]

    save_snapshot(staging, tmp_path / "rows", files, add)
    return tmp_path / "rows", files.sha256


def test_what_was_saved_is_read(saved):
    folder, sha256 = saved
    assert read_snapshot(folder).sha256 == sha256


@pytest.mark.parametrize("name", ["chunk-0.csv", "chunk-0.sent.csv", "other.csv"])
def test_a_damaged_file_is_named_with_what_is_wrong(saved, name):
    folder, _ = saved
    file = folder / name
    before = file.read_bytes()
    for content, told in (
        (before * 2, f"{name} has {len(before) * 2} bytes instead of {len(before)}"),
        (before[:-2] + b"?\n", f"{name} has other content"),
        (None, f"{name} is missing."),
    ):
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(DamagedRowsError) as caught:
            read_snapshot(folder)
        assert told in caught.value.message
        file.write_bytes(before)


def test_an_index_with_other_numbers_means_other_rows(saved):
    folder, sha256 = saved
    file = folder / "index.json"
    index = json.loads(file.read_text())
    index["slabs"][0]["first_row"] = 2
    file.write_text(json.dumps(index))
    assert read_snapshot(folder).sha256 != sha256


@pytest.mark.parametrize("text", ["", "[]", "{", '{"columns": []}'])
def test_an_index_that_is_none_is_refused(saved, text):
    folder, _ = saved
    (folder / "index.json").write_text(text)
    with pytest.raises(DamagedRowsError, match=r"index\.json cannot be read"):
        read_snapshot(folder)


def test_an_index_of_an_older_release_has_no_checksums(saved):
    folder, _ = saved
    file = folder / "index.json"
    index = json.loads(file.read_text())
    del index["checksums"], index["others"]
    file.write_text(json.dumps(index))
    found = read_snapshot(folder)
    assert (found.sha256, len(found.chunks)) == ("", 1)
