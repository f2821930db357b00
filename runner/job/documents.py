"""What is wrong with a YAML file by itself: its schema, pasted secrets, placeholders.

Knows the shipped schemas and how many problems are reported. Knows nothing of what a job means.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runner.diagnostics import Diagnostic
from runner.errors import JobError
from runner.job import value_scan
from runner.job.partial_job import ProblemPaths
from runner.job.schema.files import is_valid
from runner.job.yaml.document import Document, read_document

OTHER_KIND = "job/other-kind"
"""The code of the problem that a file is of another kind; it has no other problems."""
MAX_PROBLEMS = 200
"""Problems that are reported at once."""


def load_checked(file: Path, schema: str) -> Document:
    """Read a YAML file and check it against a shipped schema; its values and their positions.

    Raises:
        JobError: The file has problems; the error carries all of them, sorted.
    """
    document = read_document(file)
    problems = list(document.problems)
    if not document.is_broken:
        problems = problems_of(document, schema)
    if problems:
        raise JobError(in_order(problems))
    return document


def problems_of(
    document: Document,
    schema: str,
    *,
    definition: str | None = None,
    known: Iterable[Diagnostic] = (),
) -> list[Diagnostic]:
    """What is wrong with a document by itself.

    Args:
        document: The document.
        schema: Name of the schema to check it against.
        definition: The part of the schema to check against, which is a connection; the whole
            schema when None.
        known: Problems found before; the schema has nothing to add where they are.
    """
    values, origin = document.values, document.origin
    placed = value_scan.placeholders(values, origin)
    problems = [*document.problems, *value_scan.secrets(values, origin), *known, *placed]
    if is_valid(values, schema, definition=definition):
        return problems
    from runner.job.file_kinds import other_kind  # noqa: PLC0415 - few files are of another kind

    other = other_kind(document, schema if definition is None else "connection")
    if schema == "job" and definition is None:
        from runner.job.foreign_files import of_another_tool  # noqa: PLC0415

        other = of_another_tool(document) or other
    if other is not None:
        return [*document.problems, other]
    from runner.job.schema.validate import validate  # noqa: PLC0415 - a tenth of a second to load

    paths = ProblemPaths(problems)
    found = validate(values, origin, schema, definition=definition)
    return problems + [each for each in found if not paths.covers(each.path)]


def in_order(problems: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Problems by file and position, each once, without secrets; at most MAX_PROBLEMS."""
    # The tasks of one `for_each` have the same problems in the same place.
    distinct: dict[object, Diagnostic] = {}
    for each in problems:
        distinct.setdefault((each.code, each.message, each.file, each.position), each)
    ordered = sorted(distinct.values(), key=lambda found: found.sort_key)
    shown = value_scan.concealed(ordered)[:MAX_PROBLEMS]
    more = len(ordered) - len(shown)
    if not more:
        return shown
    words, hint = f"and at least {more:,} more problems", "fix these first"
    return (*shown, Diagnostic("job/more-problems", words, ordered[0].file, help=hint))
