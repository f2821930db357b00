"""Sessions: the user of each access token, and its expiry.

Each use extends a session by its full duration, as at Salesforce. Sessions outlive the server.
Knows nothing of how a client got its token.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from threading import RLock

from msgspec import Struct

from runner.local_org.oauth.users import user_of_id
from runner.local_org.org import Org, User

SERVER_CLIENT = "local-org"
"""Client id of the session that a server opens for itself; it does not expire."""
_SAVED_PART = 10
"""An extension is saved once it is worth a tenth of a session's duration."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS "_sessions" (
  token TEXT PRIMARY KEY, user_id TEXT NOT NULL, client_id TEXT NOT NULL, scope TEXT NOT NULL,
  family TEXT, issued_at TEXT NOT NULL, expires_at TEXT
)
"""


class Session(Struct):
    """One access token with its user and expiry."""

    token: str
    user: User
    client_id: str
    scope: str
    family: str | None
    """The approval it comes from; revoking that ends it."""
    issued_at: datetime
    expires_at: datetime | None
    """None for the server's own session."""


def opaque(length: int) -> str:
    """A random secret in the alphabet of Salesforce's tokens."""
    return secrets.token_urlsafe(length).replace("-", ".")[:length]


class Sessions:
    """All sessions of an org; safe to use from many threads."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._life = timedelta(seconds=org.settings.session_seconds)
        self._lock = RLock()
        self._open: dict[str, Session] = {}
        self._saved: dict[str, datetime | None] = {}
        self._load()

    def begin(
        self, user: User, client_id: str, scope: str = "full", family: str | None = None
    ) -> Session:
        """Open a session; its token starts with the 15-character org Id."""
        now = self._org.clock()
        session = Session(
            token=f"{self._org.id[:15]}!{opaque(96)}",
            user=user,
            client_id=client_id,
            scope=scope,
            family=family,
            issued_at=now,
            expires_at=None if client_id == SERVER_CLIENT else now + self._life,
        )
        with self._lock:
            self._open[session.token] = session
            self._save(session)
        return session

    def find(self, token: str) -> Session | None:
        """The valid session of a token, extended; None if there is none."""
        session = self.look(token)
        if session is not None and session.expires_at is not None:
            with self._lock:
                session.expires_at = self._org.clock() + self._life
                saved = self._saved.get(token)
                if saved is None or session.expires_at - saved > self._life / _SAVED_PART:
                    self._save(session)
        return session

    def look(self, token: str) -> Session | None:
        """The valid session of a token, without extending it."""
        with self._lock:
            session = self._open.get(token)
        if session is None or (session.expires_at and session.expires_at <= self._org.clock()):
            return None
        return session

    def end(self, token: str, *, own_too: bool = True) -> bool:
        """End one session, the server's own only with `own_too`; returns whether one was ended."""
        with self._lock:
            session = self._open.get(token)
            if session is None or (session.expires_at is None and not own_too):
                return False
            return self._end([token]) > 0

    def end_family(self, family: str) -> int:
        """End every session of an approval; returns how many."""
        with self._lock:
            tokens = [each.token for each in self._open.values() if each.family == family]
        return self._end(tokens)

    def end_all(self) -> int:
        """End every session but the server's own; returns how many."""
        with self._lock:
            return self._end([each.token for each in self._open.values() if each.expires_at])

    def end_own(self) -> None:
        """End the sessions that earlier servers opened for themselves."""
        with self._lock:
            self._end([each.token for each in self._open.values() if each.expires_at is None])

    def _end(self, tokens: list[str]) -> int:
        with self._lock:
            ended = [token for token in tokens if self._open.pop(token, None)]
            for token in ended:
                self._saved.pop(token, None)
            with self._org.store.writing() as conn:
                conn.executemany('DELETE FROM "_sessions" WHERE token = ?', [(t,) for t in ended])
        return len(ended)

    def _save(self, session: Session) -> None:
        row = (
            session.token,
            session.user.id,
            session.client_id,
            session.scope,
            session.family,
            session.issued_at.isoformat(),
            session.expires_at.isoformat() if session.expires_at else None,
        )
        self._saved[session.token] = session.expires_at
        with self._org.store.writing() as conn:
            conn.execute('INSERT OR REPLACE INTO "_sessions" VALUES (?, ?, ?, ?, ?, ?, ?)', row)

    def _load(self) -> None:
        now = self._org.clock().isoformat()
        with self._org.store.writing() as conn:
            conn.execute(_SCHEMA)
            conn.execute('DELETE FROM "_sessions" WHERE expires_at <= ?', (now,))
            rows = conn.execute('SELECT * FROM "_sessions"').fetchall()
        for token, user_id, client_id, scope, family, issued_at, expires_at in rows:
            user = user_of_id(self._org, user_id)
            if user is None:
                continue
            expires = datetime.fromisoformat(expires_at) if expires_at else None
            self._saved[token] = expires
            self._open[token] = Session(
                token, user, client_id, scope, family, datetime.fromisoformat(issued_at), expires
            )
