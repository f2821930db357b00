"""Optional libraries that only some sources and targets need.

Knows how to install one that is missing. Knows nothing of what they do.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from runner.errors import RunnerError, SourceError


def extra(module: str, name: str, what: str, kind: type[RunnerError] = SourceError) -> ModuleType:
    """Import a library that an extra of this package installs.

    Args:
        module: What to import.
        name: The extra.
        what: What needs it, as the subject of a sentence.
        kind: The error if it is missing.

    Raises:
        RunnerError: Of that kind, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise kind(
            f"{what} needs the library {error.name or module}, which is not installed.",
            hint=f"Install it: pip install 'sfrunner[{name}]'",
        ) from error
