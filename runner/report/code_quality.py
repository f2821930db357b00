"""Findings as GitLab's code quality report.

Pure: from diagnostics to plain values. Source: GitLab, "Code Quality report format": an array of
findings, each with a path from the root of the repository and a fingerprint of its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from runner.diagnostics import Diagnostic, Severity
from runner.report.findings import path_from, text_of

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor"}


def code_quality(problems: Sequence[Diagnostic], folder: Path) -> list[dict[str, object]]:
    """Problems as a code quality report.

    A fingerprint stays when lines move, so that GitLab tells new findings from earlier ones.

    Args:
        problems: The problems of all jobs.
        folder: The current folder, the root of the repository in a pipeline.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    report: list[dict[str, object]] = []
    for found in problems:
        path = path_from(folder, found.file) or "."
        same = (found.code, path, found.message)
        seen[same] += 1
        fingerprint = "\0".join([*same, str(seen[same])]).encode("utf-8", "replace")
        report.append(
            {
                "description": text_of(found),
                "check_name": found.code,
                "fingerprint": hashlib.sha256(fingerprint).hexdigest(),
                "severity": _SEVERITIES[found.severity],
                "location": {
                    "path": path,
                    "lines": {"begin": found.position.line if found.position else 1},
                },
            }
        )
    return report
