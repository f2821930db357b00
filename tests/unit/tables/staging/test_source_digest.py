"""Whether a source holds what was staged of it."""

from contextlib import closing

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import MappedColumn
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.source_digest import is_unchanged


def test_a_file_is_unchanged_as_long_as_its_rows_are(tmp_path):
    file = tmp_path / "a.csv"
    source = FileSource(file, FileShape(FileFormat.CSV))
    file.write_text("Name\na\nb\n")
    staging = StagedRows(tmp_path / "staging")
    with closing(staging.database):
        staging.load(source)
        staging.map([MappedColumn("Name", None)])
    missing = tmp_path / "runs" / "deleted"
    file.write_text("Name\na\nb\n")  # written again, with the same rows
    assert is_unchanged(source, staging.source_sha256, missing)
    file.write_text("Name\na\nc\n")
    assert not is_unchanged(source, staging.source_sha256, missing)
    assert list(missing.iterdir()) == []
