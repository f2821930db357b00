"""What follows from the content of a file: its checksum, size, kind and title.

Source: Object Reference, Attachment and ContentVersion. Knows stored records. Knows no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from runner.local_org.blobs import Blob
from runner.local_org.records.stored import Stored

_Record = dict[str, Stored]


def lacking_of_version(record: Mapping[str, Stored]) -> list[str]:
    """A file needs a name and a content, unless it is a link."""
    if record.get("ContentUrl") is not None:
        return []
    return [name for name in ("PathOnClient", "VersionData") if record.get(name) is None]


def derive_version(record: _Record, _given: frozenset[str], moment: str) -> None:
    """Checksum, size, kind and title of a version."""
    if record.get("VersionData") is not None:
        blob = Blob.read(str(record["VersionData"]))
        record["Checksum"], record["ContentSize"] = blob.md5, blob.size
    path = str(record.get("PathOnClient") or "").replace("\\", "/")
    name = PurePosixPath(path)
    extension = name.suffix.removeprefix(".")
    record["FileExtension"] = extension or None
    is_link = record.get("ContentUrl") is not None
    record["FileType"] = "LINK" if is_link else _FILE_TYPES.get(extension.lower(), "UNKNOWN")
    record["ContentLocation"] = "L" if is_link else record.get("ContentLocation") or "S"
    record["Title"] = record.get("Title") or name.stem or record.get("ContentUrl")
    record["ContentModifiedDate"] = record.get("ContentModifiedDate") or moment


def derive_attachment(record: _Record, _given: frozenset[str], _moment: str) -> None:
    """Size of an attachment."""
    if record.get("Body") is not None:
        record["BodyLength"] = Blob.read(str(record["Body"])).size


_FILE_TYPES = {
    "pdf": "PDF", "txt": "TEXT", "csv": "CSV", "xml": "XML", "html": "HTML", "rtf": "RTF",
    "doc": "WORD", "docx": "WORD_X", "xls": "EXCEL", "xlsx": "EXCEL_X",
    "ppt": "POWER_POINT", "pptx": "POWER_POINT_X", "zip": "ZIP",
    "png": "PNG", "jpg": "JPG", "jpeg": "JPEG", "gif": "GIF", "svg": "SVG", "mp4": "MP4",
}  # fmt: skip
