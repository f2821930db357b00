import json

import pytest

from runner.credentials import Secret
from runner.state.tokens.encryption import decrypt, encrypt, is_encrypted
from runner.state.tokens.format import DecryptionError

KEY = Secret("correct horse battery staple")
TEXT = '{"version": 1, "access_token": "ä"}'


def test_what_is_sealed_opens_with_its_key_and_shows_nothing():
    envelope = encrypt(TEXT, KEY)
    assert is_encrypted(envelope)
    assert not is_encrypted(TEXT)
    assert "access_token" not in envelope
    assert decrypt(envelope, KEY) == TEXT


def test_no_two_envelopes_are_the_same():
    assert encrypt(TEXT, KEY) != encrypt(TEXT, KEY)


def test_another_key_does_not_open_it():
    with pytest.raises(DecryptionError, match="this key"):
        decrypt(encrypt(TEXT, KEY), Secret("another"))


@pytest.mark.parametrize("part", ["salt", "nonce", "ciphertext"])
def test_a_changed_envelope_does_not_open(part):
    envelope = json.loads(encrypt(TEXT, KEY))
    written = envelope["sealed"][part]
    envelope["sealed"][part] = ("B" if written[0] == "A" else "A") + written[1:]
    with pytest.raises(DecryptionError):
        decrypt(json.dumps(envelope), KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"sealed": 1}',
        '{"sealed": {"cipher": "ROT13", "salt": "", "nonce": ""}}',
        "[" * 9999,
    ],
)
def test_a_damaged_envelope_is_told(text):
    with pytest.raises(DecryptionError):
        decrypt(text, KEY)
