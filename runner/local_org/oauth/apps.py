"""The apps that may request tokens: those of the org file, or any client if it declares none.

An app in the org file:

    apps:
      - client_id: 3MVG9local
        client_secret: s3cret            # optional; required unless require_secret is false
        callbacks: ["http://localhost:1717/callback"]
        rotate: true                     # each refresh replaces the refresh token
        require_pkce: true
        certificate: "-----BEGIN …"      # a certificate or public key: enables JWT bearer
        users_preauthorized: true
        client_credentials_user: integration@example.com

Knows what each app allows. Knows no request and no token.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from msgspec import Struct

from runner.local_org.catalog.section import Problem, Section
from runner.local_org.oauth.refusal import OAuthRefusal, unknown_client
from runner.local_org.org import Org

DEFAULT_SCOPES = ("refresh_token", "api")
KNOWN_SCOPES = frozenset(
    (
        "address",
        "api",
        "chatter_api",
        "content",
        "custom_permissions",
        "email",
        "full",
        "id",
        "lightning",
        "offline_access",
        "openid",
        "phone",
        "profile",
        "refresh_token",
        "visualforce",
        "web",
    )
)


class App(Struct, frozen=True):
    """One connected app or External Client App."""

    client_id: str
    client_secret: str = ""
    require_secret: bool = True
    callbacks: tuple[str, ...] | None = None
    """None allows any callback, as in an org without declared apps."""
    rotate: bool = False
    require_pkce: bool = False
    certificate: str = ""
    users_preauthorized: bool = False
    client_credentials_user: str = ""

    def allows_callback(self, redirect_uri: str) -> bool:
        """Whether a callback is registered; compared exactly, including the port."""
        return bool(redirect_uri) and (self.callbacks is None or redirect_uri in self.callbacks)

    def check_secret(self, secret: str) -> None:
        """Refuse a wrong secret, and a missing one if the app requires it.

        Raises:
            OAuthRefusal: invalid_client.
        """
        if not self.client_secret:
            return
        if not secret and self.require_secret:
            raise OAuthRefusal("invalid_client", "client secret required")
        if secret and not hmac.compare_digest(secret.encode(), self.client_secret.encode()):
            raise OAuthRefusal("invalid_client", "invalid client credentials")


class Apps:
    """All apps of an org."""

    def __init__(self, org: Org) -> None:
        self._rotate = org.settings.rotate_refresh_tokens
        self._username = org.user.username
        apps = declared_apps(org.declared, [], rotate=self._rotate)
        self._by_id = {app.client_id: app for app in apps}

    @property
    def any_client(self) -> bool:
        """Whether every client is accepted, for the org file declares none."""
        return not self._by_id

    def get(self, client_id: str) -> App:
        """The app with a consumer key.

        Raises:
            OAuthRefusal: invalid_client_id.
        """
        if not client_id:
            raise unknown_client()
        if not self._by_id:
            return App(client_id, rotate=self._rotate, client_credentials_user=self._username)
        app = self._by_id.get(client_id)
        if app is None:
            raise unknown_client()
        return app


def declared_apps(
    declared: Mapping[str, object], problems: list[Problem], *, rotate: bool = False
) -> list[App]:
    """The apps of an org file; mistakes are added to `problems`."""
    entries = declared.get("apps") or []
    if not isinstance(entries, list):
        problems.append(Problem(("apps",), "must be a list"))
        return []
    return [
        _app(Section(each, ("apps", place), problems), rotate=rotate)
        for place, each in enumerate(entries)
    ]


def _app(section: Section, *, rotate: bool) -> App:
    section.only(*App.__struct_fields__)
    client_id = section.text("client_id")
    if not client_id:
        section.report("is required", "client_id")
    return App(
        client_id=client_id,
        client_secret=section.text("client_secret"),
        require_secret=section.flag("require_secret", default=True),
        callbacks=tuple(section.texts("callbacks")),
        rotate=section.flag("rotate", default=rotate),
        require_pkce=section.flag("require_pkce"),
        certificate=section.text("certificate"),
        users_preauthorized=section.flag("users_preauthorized"),
        client_credentials_user=section.text("client_credentials_user"),
    )
