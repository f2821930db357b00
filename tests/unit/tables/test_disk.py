import pytest

from runner.errors import StorageError
from runner.tables.disk import UNBOUNDED, Disk, Metered


def put(folder, name, size):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)


def test_what_is_there_already_counts(tmp_path):
    put(tmp_path, "a/staging/chunk.csv", 900)
    disk = Disk(tmp_path, 1_000)
    disk.add(50)
    put(tmp_path, "a/parts/part.csv", 200)
    with pytest.raises(
        StorageError, match=r"1.1 KB .* `max_disk` is 1 KB: a/staging 900 bytes, a/parts"
    ):
        disk.add(200)


def test_what_was_deleted_meanwhile_does_not(tmp_path):
    disk = Disk(tmp_path, 1_000)
    for _ in range(20):
        put(tmp_path, "a/part.csv", 400)
        disk.add(400)


def test_what_others_wrote_is_found_by_looking(tmp_path):
    disk = Disk(tmp_path, 1_000)
    disk.add(0)
    put(tmp_path, "a/records.csv", 2_000)
    disk.add(0)
    with pytest.raises(StorageError) as raised:
        disk.measure()
    assert "--max-disk 2KB" in str(raised.value.hint)


def test_two_names_of_one_file_take_its_space_once(tmp_path):
    put(tmp_path, "a/rows/chunk.csv", 600)
    (tmp_path / "a/rows/chunk.sent.csv").hardlink_to(tmp_path / "a/rows/chunk.csv")
    Disk(tmp_path, 1_000).measure()
    put(tmp_path, "a/parts/part.csv", 600)
    with pytest.raises(StorageError):
        Disk(tmp_path, 1_000).measure()


def test_texts_count_as_they_are_written(tmp_path):
    disk = Disk(tmp_path, 1_000)
    with (tmp_path / "rows.csv").open("w", buffering=1) as stream:
        metered = Metered(stream, disk)
        metered.write("x" * 800_000 + "\n")
        with pytest.raises(StorageError):
            metered.write("x" * 800_000 + "\n")
    assert (tmp_path / "rows.csv").stat().st_size < 2_000_000


def test_without_a_bound_nothing_is_looked_at():
    UNBOUNDED.add(10**15)
    UNBOUNDED.measure()


def test_room_is_what_the_limit_leaves(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 600)
    limited = Disk(tmp_path, 1_000)
    assert limited.has_room(400)
    assert not limited.has_room(401)
    assert Disk(tmp_path, None).has_room(10**15)
