"""Approvals and their refresh tokens: all tokens of one approval are a family and end together.

Rotation: a refresh returns a new token and ends the old one. Replaying an ended token revokes the
family and its sessions, since somebody must have copied it. A user has at most five approvals per
app; a sixth ends the oldest. They outlive the server.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from runner.local_org.oauth.apps import App
from runner.local_org.oauth.refusal import dead_token
from runner.local_org.oauth.sessions import Session, Sessions, opaque
from runner.local_org.oauth.users import user_of_id
from runner.local_org.org import Org, User

MOST_PER_USER_AND_APP = 5
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS "_approvals" (
      family TEXT PRIMARY KEY, user_id TEXT NOT NULL, client_id TEXT NOT NULL,
      scope TEXT NOT NULL, issued_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS "_refresh_tokens" (
      token TEXT PRIMARY KEY, family TEXT NOT NULL, alive INTEGER NOT NULL
    )
    """,
)
_FIND = """
SELECT r.family, r.alive, a.user_id, a.client_id, a.scope, a.issued_at
FROM "_refresh_tokens" r JOIN "_approvals" a ON a.family = r.family WHERE r.token = ?
"""


class RefreshToken(Struct, frozen=True):
    """A refresh token and its approval."""

    token: str
    family: str
    alive: bool
    user_id: str
    client_id: str
    scope: str
    issued_at: str


class Approvals:
    """All approvals of an org; safe to use from many threads."""

    def __init__(self, org: Org) -> None:
        self._org = org
        with org.store.writing() as conn:
            for statement in _SCHEMA:
                conn.execute(statement)

    def approve(self, user: User, client_id: str, scope: str) -> tuple[str, str]:
        """Record an approval; returns its family and first refresh token."""
        family, token = opaque(24), _new_token()
        now = self._org.clock().isoformat()
        with self._org.store.writing() as conn:
            conn.execute(
                'INSERT INTO "_approvals" VALUES (?, ?, ?, ?, ?)',
                (family, user.id, client_id, scope, now),
            )
            _save_token(conn, token, family)
            crowded = conn.execute(
                'SELECT family FROM "_approvals" WHERE user_id = ? AND client_id = ?'
                " ORDER BY issued_at DESC, rowid DESC LIMIT -1 OFFSET ?",
                (user.id, client_id, MOST_PER_USER_AND_APP),
            ).fetchall()
        for (oldest,) in crowded:
            self.revoke(oldest)
        return family, token

    def approved(self, user: User, client_id: str) -> bool:
        """Whether a user has approved an app and the approval is still valid."""
        with self._org.store.reading() as conn:
            row = conn.execute(
                'SELECT 1 FROM "_approvals" WHERE user_id = ? AND client_id = ?',
                (user.id, client_id),
            ).fetchone()
        return row is not None

    def find(self, token: str) -> RefreshToken | None:
        """A refresh token, valid or ended; None if its family is gone."""
        with self._org.store.reading() as conn:
            return _read(conn, token)

    def refresh(self, token: str, app: App) -> tuple[Session, str | None]:
        """A new session, and a new refresh token if the app rotates them.

        Raises:
            OAuthRefusal: invalid_grant; a replayed token has also ended its family.
        """
        rotated = _new_token() if app.rotate else None
        with self._org.store.writing() as conn:
            found = _read(conn, token)
            if found and found.alive and found.client_id == app.client_id and rotated:
                conn.execute('UPDATE "_refresh_tokens" SET alive = 0 WHERE token = ?', (token,))
                _save_token(conn, rotated, found.family)
        if found is None or found.client_id != app.client_id:
            raise dead_token()
        user = user_of_id(self._org, found.user_id)
        if not found.alive or user is None:
            self.revoke(found.family)
            raise dead_token()
        sessions = self._org.part(Sessions)
        return sessions.begin(user, app.client_id, found.scope, found.family), rotated

    def revoke(self, family: str) -> None:
        """End an approval: its refresh tokens and its sessions."""
        with self._org.store.writing() as conn:
            conn.execute('DELETE FROM "_refresh_tokens" WHERE family = ?', (family,))
            conn.execute('DELETE FROM "_approvals" WHERE family = ?', (family,))
        self._org.part(Sessions).end_family(family)


def _new_token() -> str:
    return f"5Aep861{opaque(80)}"


def _save_token(conn: sqlite3.Connection, token: str, family: str) -> None:
    conn.execute('INSERT INTO "_refresh_tokens" VALUES (?, ?, 1)', (token, family))


def _read(conn: sqlite3.Connection, token: str) -> RefreshToken | None:
    row = conn.execute(_FIND, (token,)).fetchone()
    if row is None:
        return None
    family, alive, user_id, client_id, scope, issued_at = row
    return RefreshToken(token, family, bool(alive), user_id, client_id, scope, issued_at)
