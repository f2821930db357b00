"""How a value is refused: its type is wrong, or its field does not take it."""

from __future__ import annotations

from runner.local_org.api_errors import ApiError


class UnreadableError(ValueError):
    """A value of the wrong type."""


class RefusedError(ValueError):
    """A value of the right type that the field refuses."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error
