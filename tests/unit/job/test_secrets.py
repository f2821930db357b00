import sys

import pytest

from runner.credentials import SecretReference
from runner.errors import SignInError
from runner.job.secrets import read_secret


def command(code: str) -> SecretReference:
    return SecretReference(command=(sys.executable, "-c", code))


def test_a_variable_is_read():
    secret = read_secret(SecretReference(env="TOKEN"), environ={"TOKEN": "abc\n"})
    assert secret.reveal() == "abc"
    assert "abc" not in repr(secret)


@pytest.mark.parametrize(("environ", "words"), [({}, "is not set"), ({"TOKEN": " "}, "is empty")])
def test_a_variable_without_a_value_is_told(environ, words):
    with pytest.raises(SignInError, match=words) as raised:
        read_secret(SecretReference(env="TOKEN"), environ=environ)
    assert raised.value.exit_code == 4
    assert "TOKEN" in (raised.value.hint or "")


def test_a_command_is_run_without_a_shell():
    assert read_secret(command("print('a $HOME b')")).reveal() == "a $HOME b"


@pytest.mark.parametrize(
    ("code", "words"),
    [("print('s3cret'); raise SystemExit(3)", "exit code 3"), ("", "printed nothing")],
)
def test_a_command_that_gives_nothing_is_told_without_its_output(code, words):
    with pytest.raises(SignInError, match=words) as raised:
        read_secret(command(code))
    assert "s3cret" not in f"{raised.value.message} {raised.value.hint}"


def test_a_command_that_is_not_there_is_told():
    with pytest.raises(SignInError, match="cannot be started"):
        read_secret(SecretReference(command=("no-such-program-here",)))


def test_a_command_that_does_not_end_is_ended():
    with pytest.raises(SignInError, match="did not finish within"):
        read_secret(command("import time; time.sleep(60)"), timeout_seconds=0.05)


def test_a_key_file_gives_its_text(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text("a key\n")
    file.chmod(0o600)
    assert read_secret(SecretReference(path=file)).reveal() == "a key"


def test_a_key_file_that_others_may_read_is_refused_with_the_chmod_to_run(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text("a key\n")
    file.chmod(0o640)
    with pytest.raises(SignInError, match="open to other users") as refused:
        read_secret(SecretReference(path=file), what="the private key")
    assert f"chmod 600 {file}" in refused.value.hint


@pytest.mark.parametrize("content", [None, ""])
def test_a_key_file_that_gives_nothing_is_told(tmp_path, content):
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_text(content)
        file.chmod(0o600)
    with pytest.raises(SignInError, match="the private key"):
        read_secret(SecretReference(path=file), what="the private key")


def test_a_keyring_is_not_for_here():
    with pytest.raises(ValueError, match="token store"):
        read_secret(SecretReference(keyring="acme"))
