from pathlib import Path

import pytest

from runner.credentials import SecretReference
from runner.engine.query import place_of
from runner.job.endpoints import DatabaseTarget, FileFormat, FileShape, FileTarget, FolderTarget

CSV = FileShape(FileFormat.CSV)


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (FileTarget(Path("/out/a.csv"), CSV), "/out/a.csv"),
        (FileTarget(Path("s3:/b/a.csv"), CSV, "s3://b/a.csv"), "s3://b/a.csv"),
        (
            FileTarget(Path("x"), CSV, "https://u:secret@h.example/d//a.csv?sig=secret"),
            "https://h.example/d//a.csv",
        ),
        (FolderTarget(Path("/out/a"), CSV), "/out/a"),
        (DatabaseTarget(SecretReference(env="X"), "crm.cases"), "crm.cases"),
    ],
)
def test_where_rows_went_is_shown_whole_and_without_secrets(target, place):
    assert place_of(target) == place
