"""The errors that the org answers with, and the exception that carries them.

Knows the shape of an API error (status, code, message, fields). Knows nothing of HTTP.
"""

from __future__ import annotations

from msgspec import Struct, field


class ApiError(Struct, frozen=True):
    """One Salesforce error: its code, message and fields."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    extra: dict[str, object] = field(default_factory=dict)
    """Members that only some codes have, such as `duplicateResult`."""

    def as_rest(self) -> dict[str, object]:
        """Shape of an element of a REST error array (`errorCode`)."""
        return {
            "message": self.message,
            "errorCode": self.code,
            "fields": list(self.fields),
            **self.extra,
        }

    def as_collection(self) -> dict[str, object]:
        """Shape inside sObject Collections, tree and upsert results (`statusCode`)."""
        return {
            "statusCode": self.code,
            "message": self.message,
            "fields": list(self.fields),
            **self.extra,
        }


class ApiRefusal(Exception):  # noqa: N818 - it is an answer, not a defect
    """A request that is refused as a whole; the router turns it into a response."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.errors: tuple[ApiError, ...] = (ApiError(code, message, fields),)

    @classmethod
    def of(cls, status: int, *errors: ApiError) -> ApiRefusal:
        """One refusal with several errors."""
        refusal = cls(status, errors[0].code, errors[0].message)
        refusal.errors = errors
        return refusal
