import sys

import pytest
from msgspec.structs import replace

from runner.credentials import ClientCredentials, Secret, SecretReference, Token
from runner.errors import SignInError, StateError

keyring = pytest.importorskip("keyring")
from keyring.backend import KeyringBackend  # noqa: E402 - after the skip
from keyring.errors import KeyringLocked, PasswordDeleteError  # noqa: E402

from runner.state.tokens.keyring import KeyringToken  # noqa: E402

TOKEN = Token(Secret("00D!keyring.access"), "https://acme.my.salesforce.com")


class Pretended(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.entries = {}
        self.locked = False

    def get_password(self, service, username):
        if self.locked:
            raise KeyringLocked
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password

    def delete_password(self, service, username):
        if (service, username) not in self.entries:
            raise PasswordDeleteError
        del self.entries[service, username]


@pytest.fixture
def backend():
    before, pretended = keyring.get_keyring(), Pretended()
    keyring.set_keyring(pretended)
    yield pretended
    keyring.set_keyring(before)


@pytest.fixture
def store(backend, tmp_path):
    return KeyringToken("acme", login_command="runner login job.yaml", lock_folder=tmp_path)


def test_a_token_comes_back_and_goes_away(store):
    store.check_writable()
    with store.locked():
        store.save(TOKEN)
    assert store.load() == TOKEN
    assert store.describe() == "keyring entry acme"
    assert store.remove()
    assert not store.remove()


def test_a_missing_or_damaged_entry_names_the_command_that_makes_one(store, backend):
    with pytest.raises(SignInError, match="no token acme") as missing:
        store.load()
    assert "runner login job.yaml" in missing.value.hint
    backend.entries["sfrunner", "acme"] = "garbage"
    with pytest.raises(SignInError, match="damaged"):
        store.load()


def test_a_grant_begins_without_an_entry_and_says_how_to_sign_in(store, tmp_path):
    grant = ClientCredentials(SecretReference(env="ACME_SECRET"))
    seed = replace(TOKEN, access_token=Secret(""), grant=grant)
    seeded = KeyringToken("acme", login_command="x", lock_folder=tmp_path, seed=seed)
    assert seeded.load() == seed
    store.save(TOKEN)
    assert seeded.load() == replace(TOKEN, grant=grant)


def test_a_keyring_that_does_not_open_is_told(store, backend):
    backend.locked = True
    with pytest.raises(SignInError, match="cannot be opened"):
        store.load()


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(StateError, match="not installed") as refused:
        KeyringToken("acme", login_command="x", lock_folder=tmp_path)
    assert "sfrunner[keyring]" in refused.value.hint


def backend_named(module, name, base=KeyringBackend):
    members = {
        "priority": 1,
        "get_password": lambda *_: pytest.fail("it is read"),
        "set_password": lambda *_: pytest.fail("it is written"),
        "__module__": module,
    }
    return type(name, (base,), members)()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keyrings.alt.file", "PlaintextKeyring"),
        ("keyrings.alt.file", "EncryptedKeyring"),
        ("keyring.backends.null", "Keyring"),
        ("acme.rings", "PlainTextRing"),
    ],
)
@pytest.mark.parametrize("chained", [False, True])
def test_a_keyring_that_is_not_the_systems_is_refused_by_name(tmp_path, module, name, chained):
    before = keyring.get_keyring()
    chosen = backend_named(module, name)
    if chained:
        chain = backend_named("keyring.backends.chainer", "ChainerBackend")
        chain.backends = [chosen]
        chosen = chain
    keyring.set_keyring(chosen)
    try:
        with pytest.raises(
            StateError, match=f"{module}.{name} is not the operating system"
        ) as caught:
            KeyringToken("acme", login_command="runner login", lock_folder=tmp_path)
    finally:
        keyring.set_keyring(before)
    assert "--list-backends" in caught.value.hint
