import os
import stat
import subprocess
import sys
import threading

import pytest

from runner.credentials import Secret, Token
from runner.errors import ExitCode, SignInError, StateError
from runner.state.tokens.file import TokenFile
from runner.state.tokens.parsing import FixedToken, parse_token

TOKEN = Token(Secret("00D!access"), "https://acme.my.salesforce.com", Secret("5Aep.refresh"))
COMMAND = "runner login jobs/accounts.yaml"


@pytest.fixture
def store(tmp_path):
    return TokenFile(tmp_path / "tokens" / "acme.json", login_command=COMMAND)


def refusal(store):
    with pytest.raises(SignInError) as caught:
        store.load()
    assert caught.value.exit_code is ExitCode.SIGN_IN
    assert COMMAND in caught.value.hint
    assert str(store.path) in caught.value.message
    return caught.value


def test_a_saved_token_comes_back_from_a_private_file_in_a_private_folder(store):
    store.save(TOKEN)
    assert store.load() == TOKEN
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in store.path.parent.iterdir()] == ["acme.json"]


def test_a_saved_token_is_on_the_disk_when_save_returns(store, disk_log):
    store.save(TOKEN)
    disk_log.assert_durable(store.path)


def test_saving_mends_a_mode_that_somebody_opened(store):
    store.save(TOKEN)
    store.path.chmod(0o644)
    store.save(TOKEN)
    assert store.load() == TOKEN


def test_a_missing_token_names_the_command_that_makes_one(store):
    assert refusal(store).message == f"There is no token at {store.path}."


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o666])
def test_a_token_open_to_others_is_refused_with_the_chmod_to_run(store, mode):
    store.save(TOKEN)
    store.path.chmod(mode)
    error = refusal(store)
    assert f"mode {mode:04o}" in error.message
    assert f"chmod 600 {store.path}" in error.hint


def test_a_path_with_spaces_is_quoted_in_the_command(tmp_path):
    store = TokenFile(tmp_path / "my tokens.json", login_command=COMMAND)
    store.save(TOKEN)
    store.path.chmod(0o644)
    assert f"chmod 600 '{store.path}'" in refusal(store).hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_users_token_is_refused(store):
    store.save(TOKEN)
    os.chown(store.path, 4321, -1)
    error = refusal(store)
    assert "belongs to user 4321" in error.message
    assert "chown" in error.hint


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"not a token", b'{"version": 9}'])
def test_a_damaged_token_is_told_and_not_shown(store, content):
    store.save(TOKEN)
    store.path.write_bytes(content)
    assert "is damaged" in refusal(store).message


def test_a_folder_in_the_files_place_is_told(tmp_path):
    store = TokenFile(tmp_path, login_command=COMMAND)
    assert "is not a file" in refusal(store).message


def test_a_pipe_in_the_files_place_does_not_wait(store):
    store.path.parent.mkdir()
    os.mkfifo(store.path, 0o600)
    assert "is not a file" in refusal(store).message


def test_a_file_on_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    store = TokenFile(tmp_path / "file" / "acme.json", login_command=COMMAND)
    assert "cannot be read" in refusal(store).message
    with pytest.raises(StateError):
        store.save(TOKEN)


def test_removing_tells_whether_there_was_one(store):
    store.save(TOKEN)
    assert store.remove()
    assert not store.remove()
    assert not store.path.exists()


def test_what_cannot_be_deleted_is_told(tmp_path):
    with pytest.raises(StateError, match="cannot be deleted"):
        TokenFile(tmp_path, login_command=COMMAND).remove()


def test_threads_take_turns(store):
    """Read, add one, save: without turns some of the additions would be lost."""
    store.save(Token(Secret("0"), "https://a"))

    def add_one():
        with store.locked():
            found = int(store.load().access_token.reveal())
            store.save(Token(Secret(str(found + 1)), "https://a"))

    threads = [threading.Thread(target=add_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load().access_token.reveal() == "8"


HOLD = """
import sys
from pathlib import Path
from runner.state.tokens.file import TokenFile
with TokenFile(Path(sys.argv[1]), login_command="").locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_waited_for_only_so_long_and_frees_the_lock_by_dying(store):
    store.save(TOKEN)
    impatient = TokenFile(store.path, login_command=COMMAND, lock_patience_seconds=0)
    arguments = [sys.executable, "-c", HOLD, store.path]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StateError, match="Another run has locked"), impatient.locked():
            pass
        holder.kill()
    with impatient.locked():
        assert impatient.load() == TOKEN


def test_two_names_of_one_file_share_its_lock(store, tmp_path):
    store.save(TOKEN)
    link = tmp_path / "link.json"
    link.symlink_to(store.path)
    other = TokenFile(link, login_command=COMMAND, lock_patience_seconds=0)
    raised = []

    def take():
        try:
            with other.locked():
                pass
        except StateError as error:
            raised.append(error)

    with store.locked():
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    assert raised


def test_a_folder_is_made_for_the_lock_and_one_that_cannot_be_is_told(store, tmp_path):
    with store.locked():
        assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    (tmp_path / "file").write_text("")
    nowhere = TokenFile(tmp_path / "file" / "acme.json", login_command=COMMAND)
    with pytest.raises(StateError), nowhere.locked():
        pass


def test_a_token_in_memory_is_replaced_in_memory():
    store = FixedToken(TOKEN, origin="environment variable ACME")
    other = Token(Secret("new"), "https://a")
    with store.locked():
        store.save(other)
    assert store.load() == other
    assert store.describe() == "environment variable ACME"


def given_token(text, instance_url=None):
    return parse_token(
        text, origin="variable ACME", login_command=COMMAND, instance_url=instance_url
    )


def test_a_variable_may_hold_a_whole_token_file(store):
    store.save(TOKEN)
    assert given_token(f"\n{store.path.read_text()}\n") == TOKEN


def test_a_variable_may_hold_an_access_token_where_the_org_is_known():
    assert given_token("00D!a\n", "https://a.b") == Token(Secret("00D!a"), "https://a.b")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("00D!a", "only an access token"),
        ("00D!a b", "spaces or line ends"),
        ("00D!a\x1bb", "spaces or line ends"),
        ("{}", 'no "version"'),
    ],
)
def test_what_a_variable_cannot_hold_is_told_without_showing_it(text, reason):
    with pytest.raises(SignInError, match=reason) as caught:
        given_token(text, None if text == "00D!a" else "https://a.b")
    assert "variable ACME" in caught.value.message
    assert "00D" not in caught.value.message
    assert COMMAND in caught.value.hint
