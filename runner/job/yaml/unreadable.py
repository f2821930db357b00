"""Problems of a YAML file that cannot be opened: it is not there, is a folder, or is a pipe.

Imported where there is such a problem. Knows nothing of what such a file would contain.
"""

from __future__ import annotations

from os import DirEntry
from pathlib import Path

from runner.job.missing_file import broken_link, similar_file
from runner.job.yaml.messages import SyntaxProblem

_STANDARD_STREAM = "-"
_SUFFIXES = (".yaml", ".yml")


def unreadable(error: Exception, file: Path) -> SyntaxProblem:
    """The file cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return _not_there(file)
    if isinstance(error, IsADirectoryError):
        return SyntaxProblem("yaml/folder", "this is a folder", "name a YAML file in it")
    reason = getattr(error, "strerror", None) or str(error)
    message = f"the file cannot be read: {reason}"
    return SyntaxProblem("yaml/unreadable", message, "check the path and its permissions")


def _not_there(file: Path) -> SyntaxProblem:
    code, message = "yaml/no-file", "there is no such file"
    if file.name == _STANDARD_STREAM:
        return SyntaxProblem(code, message, "save what it should contain to a file, and name that")
    leads_to = broken_link(file)
    if leads_to is not None:
        message = f"this is a symbolic link to {leads_to}, where there is no file"
        return SyntaxProblem(code, message, "correct the link, or name another file")
    try:
        near = similar_file(file, _may_be_meant)
    except (OSError, ValueError):
        return SyntaxProblem(code, message, f"check the path: there is no folder {file.parent}")
    return SyntaxProblem(code, message, f"did you mean `{near}`?" if near else "check the path")


def _may_be_meant(entry: DirEntry[str]) -> bool:
    """Whether a file or folder may be the one whose name was mistyped."""
    return entry.name.lower().endswith(_SUFFIXES) or entry.is_dir()
