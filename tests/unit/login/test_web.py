import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from msgspec.structs import replace

from runner.errors import SignInError, StateError
from runner.job.model import Environment
from runner.login.pkce import Proof
from runner.login.web import SignInRequest, sign_in, sign_in_by_paste
from runner.salesforce.expected_org import ExpectedOrg
from runner.state.tokens.file import TokenFile

ORG = "00D5g00000ABCDEEA5"
USER = "0055g00000ABCDEAA5"
USERNAME = "ada@acme.example"


@pytest.fixture
def plan(org):
    return SignInRequest(
        ExpectedOrg(Environment.LOCAL, "runner login job.yaml", at_sign_in=True),
        login_url=org.url,
        client_id="3MVG9.key",
        port=0,
        timeout_seconds=10,
        linger_seconds=10,
    )


@pytest.fixture
def store(tmp_path):
    return TokenFile(tmp_path / "tokens" / "acme.json", login_command="runner login job.yaml")


class Person:
    """Somebody at a browser: opens the address, and lets it answer as told."""

    def __init__(self, **answer):
        self.answer = answer
        self.asked = {}
        self.page = ""
        self.address = ""
        self._thread = None

    def present(self, url):
        self.asked = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
        self._thread = threading.Thread(target=self._browse)
        self._thread.start()

    def redirect(self):
        answer = {"state": self.asked["state"], **self.answer}
        return f"{self.asked['redirect_uri']}?{urlencode(answer)}"

    def ask(self, url):
        """Paste the address that the browser ended at."""
        self.asked = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
        return self.redirect()

    def _browse(self):
        try:
            with urllib.request.urlopen(self.redirect(), timeout=10) as answer:  # noqa: S310
                self.address, self.page = answer.url, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                self.address, self.page = error.url, error.read().decode()

    def closes_the_browser(self):
        self._thread.join()


def refused(plan, transport, store, person):
    with pytest.raises(SignInError) as caught:
        sign_in(plan, transport, store, present=person.present)
    person.closes_the_browser()
    assert caught.value.hint
    assert not store.path.exists()
    return caught.value


def test_a_sign_in_leaves_a_token_and_says_whose_it_is(plan, org, transport, store):
    person = Person(code="aPrx==")
    signed_in = sign_in(plan, transport, store, present=person.present)
    person.closes_the_browser()

    assert signed_in.identity.username == USERNAME
    assert store.load() == signed_in.token
    token = signed_in.token
    assert (token.org_id, token.user_id, token.username) == (ORG, USER, USERNAME)
    assert token.refresh_token.reveal() == "5Aep.refresh"
    assert (token.client_id, token.login_url) == ("3MVG9.key", org.url)
    assert token.issued_at == datetime(2010, 7, 6, 20, 40, 32, 702000, UTC)
    assert urlsplit(person.address).path == "/done"
    assert "Signed in" in person.page
    assert USERNAME in person.page
    for secret in ("aPrx", "5Aep", "AQ.access", person.asked["state"]):
        assert secret not in person.page + person.address


def test_the_org_is_asked_with_a_proof_that_fits_the_exchange(plan, org, transport, store):
    person = Person(code="aPrx==")
    sign_in(plan, transport, store, present=person.present)
    person.closes_the_browser()

    (exchange,) = org.forms("/token")
    assert person.asked["response_type"] == "code"
    assert person.asked["code_challenge_method"] == "S256"
    assert set(person.asked["scope"].split()) >= {"api", "refresh_token"}
    assert exchange["grant_type"] == "authorization_code"
    assert exchange["code"] == "aPrx=="
    assert exchange["redirect_uri"] == person.asked["redirect_uri"]
    assert Proof.of(exchange["code_verifier"]).challenge == person.asked["code_challenge"]


def test_a_refusal_in_the_browser_ends_it(plan, org, transport, store):
    person = Person(error="access_denied", error_description="end-user denied authorization")
    error = refused(plan, transport, store, person)
    assert "denied in the browser" in error.message
    assert "Access was denied" in person.page
    assert org.forms("/token") == []


def test_the_answer_to_another_sign_in_is_not_traded(plan, org, transport, store):
    person = Person(code="aPrx==", state="another")
    error = refused(plan, transport, store, person)
    assert "another sign-in" in error.message
    assert "The sign-in failed" in person.page
    assert org.forms("/token") == []


def test_a_code_that_the_org_does_not_take_is_told_with_its_words(plan, org, transport, store):
    words = {"error": "invalid_grant", "error_description": "expired authorization code"}
    org.answers["/services/oauth2/token"] = (400, words)
    person = Person(code="aPrx==")
    error = refused(plan, transport, store, person)
    assert "expired authorization code" in error.message
    assert "aPrx" not in error.message
    assert "The sign-in failed" in person.page


def test_nobody_answering_in_time_is_told_with_the_usual_causes(plan, transport, store):
    shown = []
    with pytest.raises(SignInError, match="not finished within") as caught:
        sign_in(replace(plan, timeout_seconds=0), transport, store, present=shown.append)
    callback = parse_qs(urlsplit(shown[0]).query)["redirect_uri"][0]
    for cause in (callback, "OAUTH_APP_BLOCKED", "not installed", "--no-browser"):
        assert cause in caught.value.hint


def test_an_org_of_another_kind_is_refused_and_its_token_revoked(plan, org, transport, store):
    instance_url = "https://acme--uat.sandbox.my.salesforce.com"
    org.grants(instance_url=instance_url, id=f"https://test.salesforce.com/id/{ORG}/{USER}")
    error = refused(
        replace(plan, expected=replace(plan.expected, environment=Environment.LIVE)),
        transport,
        store,
        Person(code="aPrx=="),
    )
    assert f"sandbox org, {instance_url}" in error.message
    assert "the job's environment is live" in error.message
    assert [form["token"] for form in org.forms("/revoke")] == [
        "5Aep.refresh",
        "00D5g00000ABCDE!AQ.access",
    ]


def test_an_org_other_than_the_pinned_one_is_refused(plan, org, transport, store):
    error = refused(
        replace(plan, expected=replace(plan.expected, org_id="00D5g00000OTHER")),
        transport,
        store,
        Person(code="aPrx=="),
    )
    assert ORG in error.message
    assert "00D5g00000OTHER" in error.message
    assert org.forms("/revoke")


def test_a_folder_that_cannot_be_written_is_told_before_anybody_is_asked(plan, transport, tmp_path):
    (tmp_path / "file").write_text("")
    store = TokenFile(tmp_path / "file" / "acme.json", login_command="")
    shown = []
    with pytest.raises(StateError):
        sign_in(plan, transport, store, present=shown.append)
    assert shown == []


def test_a_pasted_address_does_as_well(plan, org, transport, store):
    person = Person(code="aPrx==")
    signed_in = sign_in_by_paste(replace(plan, port=1717), transport, store, ask=person.ask)
    assert person.asked["redirect_uri"] == "http://localhost:1717/OauthRedirect"
    assert org.forms("/token")[0]["redirect_uri"] == "http://localhost:1717/OauthRedirect"
    assert store.load() == signed_in.token


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"code": "a", "state": "another"}, "another sign-in"),
        ({"error": "access_denied"}, "denied in the browser"),
    ],
)
def test_a_pasted_address_is_judged_the_same(plan, transport, store, answer, reason):
    with pytest.raises(SignInError, match=reason):
        sign_in_by_paste(plan, transport, store, ask=Person(**answer).ask)
    assert not store.path.exists()
