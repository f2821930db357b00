"""Finds users in the org's User records.

Knows the User table. Knows nothing of tokens.
"""

from __future__ import annotations

from runner.local_org.org import Org, User

_BY_ID = 'SELECT "Id", "Username", "Name", "Email", "TimeZoneSidKey" FROM "User" WHERE "Id" = ?'
_BY_USERNAME = (
    'SELECT "Id", "Username", "Name", "Email", "TimeZoneSidKey" FROM "User"'
    ' WHERE lower("Username") = lower(?) AND "IsActive" = 1'
)


def user_of_id(org: Org, user_id: str) -> User | None:
    """The user with an 18-character Id."""
    return org.user if user_id == org.user.id else _found(org, _BY_ID, user_id)


def user_named(org: Org, username: str) -> User | None:
    """The active user with a username, in any case."""
    if username.lower() == org.user.username.lower():
        return org.user
    return _found(org, _BY_USERNAME, username)


def _found(org: Org, statement: str, argument: str) -> User | None:
    with org.store.reading() as conn:
        row = conn.execute(statement, (argument,)).fetchone()
    if row is None:
        return None
    return User(row[0], row[1] or "", row[2] or "", row[3] or "", row[4] or "UTC")
