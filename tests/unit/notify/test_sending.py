"""Each way of sending reaches a real server; what cannot be sent says why, without a secret."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from email import message_from_bytes

import apprise
import pytest
from standardwebhooks import Webhook as Verifier

from runner.credentials import SecretReference
from runner.errors import RunnerError
from runner.job.build_notices import recipient, written
from runner.notify.sending import sender_for
from runner.notify.service import _limited
from runner.notify.webhook import NotSentError

DOCUMENT = {
    "id": "msg_1",
    "event": "failed",
    "title": "accounts failed",
    "text": "accounts failed (exit 1).\nNext: runner retry 20261129-023001-7f3a",
}


@pytest.fixture
def send(monkeypatch):
    def work(values, timeout=5.0, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        sender_for(recipient(values), timeout)(DOCUMENT)

    return work


def test_a_webhook_gets_json_that_anybody_with_the_secret_can_verify(send, web):
    secret = f"whsec_{b64encode(b'0123456789abcdef01234567').decode()}"
    values = {"webhook": {"env": "HOOK"}, "secret": {"env": "KEY"}}
    send(values, HOOK=f"{web.url}/hook?x=1", KEY=secret)
    (got,) = web.got
    assert (got.path, got.headers["content-type"]) == ("/hook?x=1", "application/json")
    assert Verifier(secret).verify(got.body, got.headers) == DOCUMENT


def test_a_secret_in_plain_text_signs_too(send, web):
    plain = "a plain text"
    values = {"webhook": {"env": "HOOK"}, "secret": {"env": "KEY"}}
    send(values, HOOK=web.url, KEY=plain)
    got = web.got[0]
    assert Verifier(plain.encode()).verify(got.body, got.headers)
    stamp = datetime.fromtimestamp(int(got.headers["webhook-timestamp"]), UTC)
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 60


def test_a_redirect_is_not_followed(send, web):
    web.status, web.location = 302, f"{web.url}/elsewhere"
    with pytest.raises(NotSentError, match="302; redirects are not followed"):
        send({"webhook": {"env": "HOOK"}}, HOOK=f"{web.url}/hook")
    assert [each.path for each in web.got] == ["/hook"]


def test_an_answer_that_never_comes_ends_with_the_time(send, silent):
    with pytest.raises(NotSentError) as raised:
        send({"webhook": {"env": "HOOK"}}, timeout=0.05, HOOK=silent)
    assert "timed out" in raised.value.message
    assert "/hook" not in raised.value.message


@pytest.mark.parametrize(
    ("values", "text", "said"),
    [
        ({"webhook": {"env": "HOOK"}}, "", "HOOK, which should contain the URL of the webhook, is"),
        ({"webhook": {"env": "HOOK"}}, "ftp://x/secretpath", "does not begin with https://"),
        ({"webhook": {"env": "HOOK"}}, "https:///secretpath", "does not begin with https://"),
        ({"env": "HOOK"}, "nosuch://secretpath", "is not one that Apprise knows"),
        ({"email": "a@b.example", "smtp": {"env": "HOOK"}}, "http://secretpath", "smtp://"),
        ({"email": "a@b.example", "smtp": {"env": "HOOK"}}, "smtp://127.0.0.1:1", "refused"),
    ],
)
def test_what_cannot_be_used_is_named_without_what_is_in_it(send, values, text, said):
    with pytest.raises(RunnerError) as raised:
        send(values, HOOK=text)
    assert said in raised.value.message
    assert "secretpath" not in raised.value.message


def test_a_mail_is_sent_as_text(send, mails):
    place, got = mails
    send({"email": "ops@acme.example", "smtp": {"env": "S"}}, S=f"smtp://{place}")
    (envelope,) = got
    mail = message_from_bytes(envelope.content)
    assert envelope.rcpt_tos == ["ops@acme.example"]
    assert (mail["Subject"], mail["Auto-Submitted"]) == ("accounts failed", "auto-generated")
    assert "Next: runner retry" in mail.get_payload(decode=True).decode()


def test_a_mail_that_the_server_refuses_says_what_it_said(send, mails, monkeypatch):
    monkeypatch.setitem(DOCUMENT, "text", "REFUSED")
    with pytest.raises(NotSentError, match="550 no"):
        send({"email": "ops@acme.example", "smtp": {"env": "S"}}, S=f"smtp://{mails[0]}")


def test_apprise_carries_a_message_to_its_services(send, web, mails):
    send({"env": "A"}, A=web.url.replace("http://", "json://") + "/hook")
    assert web.got[0].json["title"] == "accounts failed"
    send({"env": "A"}, A=f"mailto://{mails[0]}?from=a@b.example&to=ops@acme.example&mode=insecure")
    assert mails[1][0].rcpt_tos == ["ops@acme.example"]


def test_a_web_address_that_apprise_does_not_know_is_a_webhook(send, web):
    send({"env": "A"}, A=f"{web.url}/hook")
    assert json.loads(web.got[0].body) == DOCUMENT


def test_a_message_that_a_redirect_would_lose_is_not_taken_for_sent(send, web):
    web.status, web.location = 302, f"{web.url}/login"
    with pytest.raises(NotSentError, match="302"):
        send({"env": "A"}, A=web.url.replace("http://", "json://") + "/hook?+x=1")
    assert [each.path for each in web.got] == ["/hook"]


def test_addresses_of_known_services_stay_theirs():
    slack = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    for url in (slack, f"{slack}?footer=no"):
        found = apprise.Apprise.instantiate(_limited(url, 2.0))
        assert type(found).__name__ == "NotifySlack"
        assert (found.redirects, found.socket_read_timeout) == (False, 2.0)


def test_a_refusal_through_apprise_is_told_in_its_words_and_on_no_stream(send, web, capfd):
    web.status = 500
    with pytest.raises(NotSentError, match="500"):
        send({"env": "A"}, A=web.url.replace("http://", "json://user:topsecret@") + "/hook")
    assert capfd.readouterr() == ("", "")


def test_a_recipient_is_written_as_it_was_declared():
    for values in (
        {"env": "A"},
        {"command": ["pass", "show", "a"]},
        {"webhook": {"env": "A"}, "secret": {"env": "B"}},
        {"email": "a@b.example", "smtp": {"env": "S"}, "from": "c@b.example"},
    ):
        assert written(recipient(values)) == values
    default = recipient({"email": "a@b.example"})
    assert default.smtp == SecretReference(env="SFRUNNER_SMTP_URL")
