"""Opens a workbook by what its file contains, whatever its name.

Knows which module reads which format. Knows nothing of what is in a sheet.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile, is_zipfile
from zlib import error as ZlibError  # noqa: N812 - the name says which error it is

from runner.errors import SourceError
from runner.tables.sources.sheets.ods import MEDIA_TYPE, OdsWorkbook
from runner.tables.sources.sheets.package import main_part
from runner.tables.sources.sheets.sheet import Workbook
from runner.tables.sources.sheets.texts import StoredTexts
from runner.tables.sources.sheets.xls import SIGNATURE, XlsWorkbook
from runner.tables.sources.sheets.xlsb import XlsbWorkbook
from runner.tables.sources.sheets.xlsx import XlsxWorkbook
from runner.tables.unchanged import unchanged

_DAMAGED = (
    BadZipFile,
    EOFError,
    ET.ParseError,
    expat.ExpatError,
    LookupError,  # a part that is missing, an encoding that Python does not know
    NotImplementedError,  # a compression that Python does not know
    OSError,
    RuntimeError,  # an encrypted archive
    StopIteration,
    ValueError,
    ZlibError,
)

_LONGEST_TYPE = 1_000


@contextmanager
def opened_workbook(path: Path, folder: Path | None) -> Iterator[Workbook]:
    """Open a file with sheets; it may not change before the block ends.

    Args:
        path: The file.
        folder: For texts that are not kept in memory; None: the system's.

    Raises:
        SourceError: It is no such file, damaged, or changed; also while its rows are read.
    """
    with unchanged(path), _damage_named(path):
        with path.open("rb") as stream:
            start = stream.read(len(SIGNATURE))
        if start == SIGNATURE:
            yield XlsWorkbook(path)
        elif start.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
            raise ValueError("it is HTML or XML, whatever its name says")
        elif not is_zipfile(path):
            raise ValueError("it is not a workbook")
        else:
            with ZipFile(path) as book, tempfile.TemporaryFile(dir=folder) as file:
                yield _in_archive(book, StoredTexts(file))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        reason = f"{error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise SourceError(
            f"{path} cannot be read as Excel: {reason.strip('.') or type(error).__name__}.",
            hint="The file may be in another format, encrypted or incomplete.",
        ) from error


def _in_archive(book: ZipFile, texts: StoredTexts) -> Workbook:
    if "mimetype" in book.namelist():
        with book.open("mimetype") as stream:
            if stream.read(_LONGEST_TYPE).strip().startswith(MEDIA_TYPE):
                return OdsWorkbook(book)
    if main_part(book).endswith(".bin"):
        return XlsbWorkbook(book, texts)
    return XlsxWorkbook(book, texts)
