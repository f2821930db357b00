"""Problems in a job as GitHub and SARIF have them.

Pure: from diagnostics to text. Source: GitHub's workflow commands; SARIF 2.1.0 (OASIS). Knows
nothing of where it is printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from runner.diagnostics import Diagnostic, Severity
from runner.version import __version__

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ESCAPES = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_IN_PROPERTIES = ((":", "%3A"), (",", "%2C"))


def github_annotation(found: Diagnostic, folder: Path) -> str:
    """A problem as a workflow command, which GitHub shows beside the line.

    Args:
        found: The problem.
        folder: The current folder, the root of the repository in a workflow.
    """
    at = found.position
    properties: dict[str, object] = {"file": _relative(found.file, folder)}
    if at is not None:
        properties |= {"line": at.line, "col": at.column, "endColumn": at.end_column - 1}
    properties["title"] = found.code
    named = ",".join(
        f"{name}={_escaped(str(value), *_IN_PROPERTIES)}" for name, value in properties.items()
    )
    return f"::{found.severity} {named}::{_escaped(_text(found))}"


def sarif_document(problems: Sequence[Diagnostic], folder: Path) -> dict[str, object]:
    """Problems as a SARIF log with one run.

    Args:
        problems: The problems of all jobs.
        folder: The current folder, which the files' paths are relative to.
    """
    codes = list(dict.fromkeys(each.code for each in problems))
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "runner",
                        "semanticVersion": __version__,
                        "rules": [{"id": code} for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, codes, folder) for each in problems],
            }
        ],
    }


def _result(found: Diagnostic, codes: Sequence[str], folder: Path) -> Mapping[str, object]:
    path = _relative(found.file, folder)
    uri = Path(path).as_uri() if os.path.isabs(path) else quote(path)  # noqa: PTH117 - a text
    place: dict[str, object] = {"artifactLocation": {"uri": uri}}
    if found.position is not None:
        at = found.position
        place["region"] = {
            "startLine": at.line,
            "startColumn": at.column,
            "endColumn": max(at.end_column, at.column),
        }
    return {
        "ruleId": found.code,
        "ruleIndex": codes.index(found.code),
        "level": "error" if found.severity is Severity.ERROR else "warning",
        "message": {"text": _text(found)},
        "locations": [{"physicalLocation": place}],
    }


def _text(found: Diagnostic) -> str:
    return f"{found.message}\nhelp: {found.help}" if found.help else found.message


def _relative(file: Path, folder: Path) -> str:
    """The path from the folder, with slashes; the absolute one for a file elsewhere."""
    absolute = Path(os.path.abspath(folder / file))  # noqa: PTH100 - keeps symbolic links
    below = absolute.is_relative_to(folder)
    return (absolute.relative_to(folder) if below else absolute).as_posix()


def _escaped(text: str, *more: tuple[str, str]) -> str:
    for sign, written in (*_ESCAPES, *more):
        text = text.replace(sign, written)
    return text
