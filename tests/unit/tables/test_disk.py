import pytest

from runner.errors import StorageError
from runner.tables.disk import UNBOUNDED, Disk, Metered, in_words


def put(folder, name, size):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)


def test_what_is_there_already_counts(tmp_path):
    put(tmp_path, "a/staging/slab.csv", 900)
    disk = Disk(tmp_path, 1_000)
    disk.grew(50)
    put(tmp_path, "a/parts/part.csv", 200)
    with pytest.raises(
        StorageError, match=r"1.1 KB .* `max_disk` is 1 KB: a/staging 900 bytes, a/parts"
    ):
        disk.grew(200)


def test_what_was_deleted_meanwhile_does_not(tmp_path):
    disk = Disk(tmp_path, 1_000)
    for _ in range(20):
        put(tmp_path, "a/part.csv", 400)
        disk.grew(400)


def test_what_others_wrote_is_found_by_looking(tmp_path):
    disk = Disk(tmp_path, 1_000)
    disk.grew(0)
    put(tmp_path, "a/records.csv", 2_000)
    disk.grew(0)
    with pytest.raises(StorageError) as raised:
        disk.look()
    assert "--max-disk 2KB" in str(raised.value.hint)


def test_texts_count_as_they_are_written(tmp_path):
    disk = Disk(tmp_path, 1_000)
    with (tmp_path / "rows.csv").open("w", buffering=1) as stream:
        metered = Metered(stream, disk)
        metered.write("x" * 800_000 + "\n")
        with pytest.raises(StorageError):
            metered.write("x" * 800_000 + "\n")
    assert (tmp_path / "rows.csv").stat().st_size < 2_000_000


def test_without_a_bound_nothing_is_looked_at():
    UNBOUNDED.grew(10**15)
    UNBOUNDED.look()


@pytest.mark.parametrize(
    ("size", "words"),
    [(999, "999 bytes"), (1_500, "1.5 KB"), (2_340_000, "2.34 MB"), (21 * 10**9, "21 GB")],
)
def test_sizes_are_said_in_words(size, words):
    assert in_words(size) == words
