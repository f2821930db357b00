"""Findings as SARIF 2.1.0 (OASIS), for code scanning and other readers.

Pure: from diagnostics to plain values. Knows nothing of where it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from runner.diagnostics import Diagnostic, Severity
from runner.report.findings import path_from, text_of
from runner.version import __version__

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


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
    place = _place(found, folder)
    return {
        "ruleId": found.code,
        "ruleIndex": codes.index(found.code),
        "level": "error" if found.severity is Severity.ERROR else "warning",
        "message": {"text": text_of(found)},
        "locations": [{"physicalLocation": place}] if place else [],
    }


def _place(found: Diagnostic, folder: Path) -> Mapping[str, object]:
    path = path_from(folder, found.file)
    if not path:
        return {}
    uri = Path(path).as_uri() if Path(path).is_absolute() else quote(path)
    place: dict[str, object] = {"artifactLocation": {"uri": uri}}
    if found.position is not None:
        at = found.position
        place["region"] = {
            "startLine": at.line,
            "startColumn": at.column,
            "endColumn": max(at.end_column, at.column),
        }
    return place
