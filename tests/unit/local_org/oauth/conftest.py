"""A client of the OAuth endpoints, written from the public documents of the flow."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

CALLBACK = "http://localhost:1717/callback"
VERIFIER = "correct-horse-battery-staple-correct-horse-battery"


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass
class Login:
    """Presses the buttons of the authorize page, and calls the token endpoint."""

    url: str
    client_id: str = "3MVG9local"

    def authorize(self, press: str = "approve", **asked: str) -> httpx.Response:
        """The answer to the last button; `asked` adds to or replaces the request's parameters."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "api refresh_token",
            "state": "s t=1",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        } | asked
        kept = {name: value for name, value in query.items() if value}
        answer = httpx.get(f"{self.url}/services/oauth2/authorize", params=kept)
        for button in ("login", press):
            if answer.status_code != 200:
                return answer
            answer = self.press(answer, button)
        return answer

    def press(self, page: httpx.Response, button: str, **typed: str) -> httpx.Response:
        action = re.search(r'action="([^"]*)"', page.text)
        name = re.search(rf'id="{button}" name="(\w+)" value="(\w+)"', page.text)
        fields = dict(re.findall(r'<input[^>]*name="(\w+)" value="([^"]*)"', page.text))
        assert action
        assert name, page.text
        target = action[1].replace("&amp;", "&")
        return httpx.post(self.url + target, data=fields | typed | {name[1]: name[2]})

    def code(self, **asked: str) -> str:
        return self.told(self.authorize(**asked))["code"]

    def token(self, **form: str) -> httpx.Response:
        return httpx.post(
            f"{self.url}/services/oauth2/token", data={"client_id": self.client_id} | form
        )

    def by_code(self, code: str, **form: str) -> httpx.Response:
        return self.token(
            **{
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": CALLBACK,
                "code_verifier": VERIFIER,
            }
            | form
        )

    def sign_in(self, **asked: str) -> dict[str, str]:
        return self.by_code(self.code(**asked)).json()

    def refresh(self, refresh_token: str, **form: str) -> httpx.Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **form)

    @staticmethod
    def told(answer: httpx.Response) -> dict[str, str]:
        """What a redirect tells the callback."""
        assert answer.status_code == 302, answer.text
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        return {name: values[0] for name, values in query.items()}

    def works(self, access_token: str) -> bool:
        answer = httpx.get(
            f"{self.url}/services/data/v60.0", headers={"Authorization": f"Bearer {access_token}"}
        )
        assert answer.status_code in {200, 401}
        return answer.status_code == 200


@pytest.fixture
def login(served):
    return Login(served().server.url)
