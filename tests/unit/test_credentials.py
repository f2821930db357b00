import json
import pickle
from urllib.parse import quote_plus

import pytest

from runner.credentials import Secret
from runner.errors import RunnerError
from runner.redaction import MASK, on_secret, redacted

TEXT = 'unit+canary/0001 äx"y'


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{0:>5}".format, lambda s: f"{[s]}"])
def test_a_secret_shows_as_stars(show):
    assert "canary" not in show(Secret(TEXT))


def test_a_secret_is_neither_pickled_nor_written_as_json():
    with pytest.raises(TypeError):
        pickle.dumps(Secret(TEXT))
    with pytest.raises(TypeError):
        json.dumps(Secret(TEXT))


@pytest.mark.parametrize("form", [str, quote_plus, json.dumps])
def test_a_secret_that_was_met_is_taken_out_of_any_text(form):
    Secret(TEXT)
    assert "canary" not in redacted(f"before {form(TEXT)} after")
    assert redacted("before after") == "before after"


def test_the_longest_secret_goes_first():
    Secret("unit-canary-0002")
    Secret("Bearer unit-canary-0002")
    assert redacted("Authorization: Bearer unit-canary-0002") == f"Authorization: {MASK}"


def test_each_line_of_a_key_is_a_secret():
    Secret("-----BEGIN PRIVATE KEY-----\nMIIunitcanary0003\n-----END PRIVATE KEY-----")
    assert redacted("line MIIunitcanary0003") == f"line {MASK}"
    assert redacted("-----BEGIN CERTIFICATE-----") == "-----BEGIN CERTIFICATE-----"


def test_short_texts_riddle_no_message():
    Secret("on")
    assert redacted("one common word on its own") == "one common word on its own"


@pytest.mark.parametrize(
    "text",
    [
        "00D5g00000ABCDE!AQ0AQPretendToken.of_nobody",
        "5Aep861abcdefgh.ijk",
        "force://PlatformCLI::5Aep861xyz@acme.my.salesforce.com",
        "Bearer abc",
        "http://user:hunter2@proxy.acme.example:8080",
        "http://localhost:1717/OauthRedirect?code=aPrxCanary&state=1",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "grant_type=x&refresh_token=abc&assertion=abc",
    ],
)
def test_what_looks_like_a_secret_is_starred_out_where_asked(text):
    shown = redacted(f"see {text} there", shapes=True)
    assert MASK in shown
    for word in ("Pretend", "abc", "hunter2", "5Aep861", "Canary"):
        assert word not in shown
    assert redacted(f"see {text} there") == f"see {text} there"


def test_errors_never_hold_a_secret_that_is_known():
    Secret("unit-canary-0004")
    error = RunnerError("the org said unit-canary-0004", hint="try unit-canary-0004")
    assert "canary" not in f"{error} {error.message} {error.hint} {error.args}"


def test_whoever_listens_is_told_each_secret_once():
    told = []
    on_secret(told.append)
    Secret("unit-canary-0005")
    Secret("unit-canary-0005")
    assert told == ["unit-canary-0005"]
