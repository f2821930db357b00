"""Findings as lines that a CI reads in the log.

Pure: from diagnostics to text. Source: GitHub, "Workflow commands"; Microsoft, "Logging commands",
whose sign for a percent sign is `%AZP25`. Knows nothing of where it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner.diagnostics import Diagnostic
from runner.report.findings import path_from, text_of

_GITHUB = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_GITHUB_PROPERTIES = {**_GITHUB, ":": "%3A", ",": "%2C"}
_AZURE = {**_GITHUB, "%": "%AZP25"}
_AZURE_PROPERTIES = {**_AZURE, ";": "%3B", "]": "%5D"}


def github_annotation(found: Diagnostic, folder: Path) -> str:
    """A problem as a workflow command, which GitHub shows beside the line.

    Args:
        found: The problem.
        folder: The current folder, the root of the repository in a workflow.
    """
    at = found.position
    properties: dict[str, object] = {"file": path_from(folder, found.file)}
    if at is not None:
        properties |= {"line": at.line, "col": at.column, "endColumn": at.end_column - 1}
    named = _named({**properties, "title": found.code}, ",", _GITHUB_PROPERTIES)
    return f"::{found.severity} {named}::{_escaped(text_of(found), _GITHUB)}"


def azure_command(found: Diagnostic, folder: Path) -> str:
    """A problem as a logging command, which Azure Pipelines shows on the page of the run.

    Args:
        found: The problem.
        folder: The current folder, the root of the repository in a pipeline.
    """
    at = found.position
    properties: dict[str, object] = {
        "type": str(found.severity),
        "sourcepath": path_from(folder, found.file),
    }
    if at is not None:
        properties |= {"linenumber": at.line, "columnnumber": at.column}
    named = _named({**properties, "code": found.code}, ";", _AZURE_PROPERTIES)
    return f"##vso[task.logissue {named}]{_escaped(text_of(found), _AZURE)}"


def _named(properties: Mapping[str, object], between: str, signs: Mapping[str, str]) -> str:
    return between.join(
        f"{name}={_escaped(str(value), signs)}" for name, value in properties.items() if value
    )


def _escaped(text: str, signs: Mapping[str, str]) -> str:
    return text.translate({ord(sign): written for sign, written in signs.items()})
