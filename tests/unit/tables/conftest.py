import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import MappedColumn
from runner.tables.results.row_results import RowResults
from runner.tables.sources.open import AnySource
from runner.tables.staging.rows import StagedRows


class Stage:
    """Puts bytes into a file and a staging, mapped by header unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[StagedRows] = []

    def source(self, content: bytes, form: FileFormat = FileFormat.CSV, **shape: str) -> FileSource:
        path = self.folder / f"source{len(self.opened)}.{form}"
        path.write_bytes(content)
        return FileSource(path, FileShape(form, **shape))

    def loaded(self, content: bytes, form: FileFormat = FileFormat.CSV, **shape: str) -> StagedRows:
        return self.staging(self.source(content, form, **shape))

    def staging(self, source: AnySource) -> StagedRows:
        staging = StagedRows(self.folder / f"staging{len(self.opened)}")
        self.opened.append(staging)
        staging.load(source)
        return staging

    def __call__(
        self,
        content: bytes,
        columns: list[MappedColumn] | None = None,
        *,
        form: FileFormat = FileFormat.CSV,
        shape: dict[str, str] | None = None,
        **mapping,
    ) -> StagedRows:
        staging = self.loaded(content, form, **(shape or {}))
        named = [MappedColumn(name, None) for name in staging.columns]
        staging.map(named if columns is None else columns, **mapping)
        return staging


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    for staging in stage.opened:
        staging.discard()


@pytest.fixture
def rows_of() -> Callable[[StagedRows], list[dict[str, object]]]:
    return lambda staging: [record for _, record in next(staging.batches(1_000), [])]


@pytest.fixture
def failed_rows(tmp_path: Path) -> Callable[[StagedRows], list[dict[str, str]]]:
    """The rows of failed.csv where nothing was sent: those that staging rejected."""

    def read(staging: StagedRows) -> list[dict[str, str]]:
        RowResults(staging).write_files(tmp_path)
        csv.field_size_limit(1_000_000)
        with (tmp_path / "failed.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    return read
