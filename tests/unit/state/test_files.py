import os
import stat

import pytest

from runner.errors import StateError
from runner.state.files import atomic_target, private_folder, write_atomic


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_private_and_holds_what_was_written(tmp_path):
    write_atomic(tmp_path / "a", "å")
    assert (tmp_path / "a").read_bytes() == "å".encode()
    assert mode(tmp_path / "a") == 0o600


def test_the_temporary_file_is_private_from_its_first_byte(tmp_path):
    with atomic_target(tmp_path / "a") as temporary:
        assert mode(temporary) == 0o600
        assert temporary.parent == tmp_path


def test_the_mode_asked_for_wins_over_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        write_atomic(tmp_path / "a", b"", mode=0o644)
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o644


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a"
    target.write_text("old")

    def half_written():
        with atomic_target(target) as temporary:
            temporary.write_text("half")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        half_written()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "token", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    write_atomic(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(StateError, match="No such file or directory") as caught:
        write_atomic(tmp_path / "missing" / "a", "x")
    assert caught.value.hint


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    def fill():
        with atomic_target(tmp_path / "a"):
            raise OSError(28, "No space left on device")

    with pytest.raises(StateError, match="No space left on device"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_another_files_trouble_is_not_taken_for_this_ones(tmp_path):
    def read_another():
        with atomic_target(tmp_path / "a"):
            (tmp_path / "source").read_text()

    with pytest.raises(FileNotFoundError):
        read_another()


def test_folders_are_made_private_and_existing_ones_are_left_alone(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    made = private_folder(shared / "a" / "b")
    assert (mode(made), mode(made.parent), mode(shared)) == (0o700, 0o700, 0o755)
    assert private_folder(made) == made


def test_a_file_in_a_folders_place_is_told(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(StateError, match="cannot be made: a file stands in its place"):
        private_folder(tmp_path / "a")
