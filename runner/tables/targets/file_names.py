"""Names of files on this machine for files that come from elsewhere.

A name is safe on every system: it cannot leave its folder, and is not reserved. It begins with an
Id, so no two records have the same one, whatever the file system makes of letter case.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_MOST_BYTES = 240
"""Of a name; file systems allow 255, and temporary names are longer."""
_MOST_EXTENSION_BYTES = 20
_UNSAFE = re.compile(r'[<>:"/\\|?*]')


def file_name(record_id: str, wanted: str) -> str:
    """Name the file of a record.

    Args:
        record_id: 15 or 18 letters and digits.
        wanted: What it is called in the org: a name, or a path on somebody's machine.
    """
    name = re.split(r"[/\\]", wanted)[-1]
    name = "".join("_" if _is_invisible(each) else each for each in _UNSAFE.sub("_", name))
    name = name.strip(" .")
    extension = PurePosixPath(name).suffix
    if len(extension.encode()) > _MOST_EXTENSION_BYTES:
        extension = ""
    stem = name.removesuffix(extension)
    room = _MOST_BYTES - len(f"{record_id}-{extension}".encode())
    stem = stem.encode()[:room].decode(errors="ignore").strip(" .")
    return f"{record_id}-{stem}{extension}" if stem else f"{record_id}{extension}"


def _is_invisible(character: str) -> bool:
    """Whether it is a control, or changes the direction of what follows; also half a surrogate."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
