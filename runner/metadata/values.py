"""Typed values of an element's children; a wrong one is collected with its position.

Knows texts, numbers and booleans. Knows nothing of what they mean.
"""

from __future__ import annotations

from runner.diagnostics import Diagnostic
from runner.metadata.project import Component


class Values:
    """Reads the children of a component."""

    def __init__(self, component: Component, problems: list[Diagnostic]) -> None:
        self.component = component
        self._problems = problems

    def __contains__(self, name: str) -> bool:
        return bool(self.component.element.value(name))

    def text(self, name: str) -> str:
        """The text of a child; empty if there is none."""
        return self.component.element.value(name)

    def flag(self, name: str) -> bool:
        """Whether a child says true."""
        text = self.text(name)
        if text not in {"", "true", "false", "1", "0"}:
            self.report("metadata/wrong-value", f"{name} is {text!r}, not true or false", name)
        return text in {"true", "1"}

    def whole(self, name: str) -> int | None:
        """A whole number; None if there is none."""
        text = self.text(name)
        if not text:
            return None
        if text.isascii() and text.isdecimal() and len(text) < 10:  # noqa: PLR2004 - digits
            return int(text)
        self.report("metadata/wrong-value", f"{name} is {text!r}, not a whole number", name)
        return None

    def report(self, code: str, message: str, at: str = "", hint: str | None = None) -> None:
        """Collect a problem at a child, or of the component."""
        self._problems.append(self.component.diagnose(code, message, at, hint))
