"""A record with a file as one request body: the fields as JSON, then the file's bytes.

Source: REST API guide, "Insert or Update Blob Data"; its limits are 2 GB for a ContentVersion and
500 MB for any other object.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.salesforce.http.messages import FileBody, json_body

_MEGABYTE = 1024 * 1024
_MOST_BYTES = {"contentversion": 2_048 * _MEGABYTE}
_MOST_BYTES_OF_OTHERS = 500 * _MEGABYTE
_IN_QUOTES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class LocalFile(Struct, frozen=True):
    """A file as the value of a field."""

    path: Path
    size: int
    """In bytes."""
    md5: str
    """In hexadecimal."""


def most_bytes(sobject: str) -> int:
    """How large a file in a record of this object may be."""
    return _MOST_BYTES.get(sobject.lower(), _MOST_BYTES_OF_OTHERS)


def file_of(record: Mapping[str, Any]) -> tuple[str, LocalFile] | None:
    """The field of a record that holds a file, and the file."""
    return next(((k, each) for k, each in record.items() if isinstance(each, LocalFile)), None)


def multipart_body(fields: Mapping[str, Any], field: str, file: LocalFile) -> tuple[str, FileBody]:
    """The body, and its Content-Type.

    Args:
        fields: The record without the field of the file.
        field: That field; its part is called like it.
        file: The file.
    """
    boundary = f"sfrunner-{secrets.token_hex(16)}"
    name = file.path.name.translate(_IN_QUOTES)
    # The name of the first part is free.
    before = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="entity_content"\r\n'
        "Content-Type: application/json\r\n\r\n"
    ).encode()
    before += json_body(fields)
    before += (
        f"\r\n--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode(errors="replace")
    after = f"\r\n--{boundary}--\r\n".encode()
    body = FileBody(before, file.path, file.size, file.md5, after)
    return f"multipart/form-data; boundary={boundary}", body
