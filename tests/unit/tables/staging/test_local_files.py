"""Files that rows name: which may be sent, and why others may not."""

import hashlib
import os

import pytest

from runner.tables.staging.local_files import FilePlaces, StagedFile, look_up


@pytest.fixture
def places(tmp_path):
    """A job's folder, and in it that of the source, beside a folder that is neither."""
    for folder in ("job/data/docs", "job/other", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    return FilePlaces(tmp_path / "job/data", tmp_path / "job", most_bytes=100)


@pytest.mark.parametrize(
    "path", ["docs/a b.pdf", "./docs/../docs/a b.pdf", "../other/ü.pdf", "{job}/data/docs/a b.pdf"]
)
def test_a_file_in_either_folder_is_found_and_hashed(places, path):
    text = path.format(job=places.other)
    file = places.folder / text
    file.write_bytes(b"content")
    found = look_up(text, places)
    md5 = hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    assert found == StagedFile(file.resolve(), 7, md5)
    assert StagedFile.read(found.cell) == found


def test_a_link_counts_as_what_it_leads_to(places):
    (places.folder / "a.pdf").write_bytes(b"x")
    (places.folder / "docs/inside").symlink_to(places.folder / "a.pdf")
    assert look_up("docs/inside", places).path == (places.folder / "a.pdf").resolve()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("docs/no.pdf", "FILE_NOT_FOUND", "there is no file 'docs/no.pdf' in {data}/docs"),
        ("no/no.pdf", "FILE_NOT_FOUND", "there is no file 'no/no.pdf' in {data}"),
        ("big.bin/x", "FILE_NOT_FOUND", "there is no file 'big.bin/x' in {data}"),
        ("a\0b", "FILE_NOT_FOUND", "there is no file 'a\0b' in {data}"),
        ("docs", "FILE_UNREADABLE", "'docs' is a folder"),
        ("pipe", "FILE_UNREADABLE", "'pipe' is a pipe or a device"),
        ("big.bin", "FILE_TOO_LARGE", "'big.bin' has 101 bytes; Salesforce takes at most 100"),
        ("../../elsewhere/x", "FILE_OUTSIDE_FOLDER",
         "'../../elsewhere/x' is outside the folder {data}"),
        ("/etc/hosts", "FILE_OUTSIDE_FOLDER", "'/etc/hosts' is outside the folder {data}"),
        ("out", "FILE_OUTSIDE_FOLDER",
         "'out' leads to {root}/elsewhere/x, which is outside the folder {data}"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_sent_says_why(places, text, code, message):
    root = places.other.parent
    (root / "elsewhere/x").write_bytes(b"x")
    (places.folder / "out").symlink_to(root / "elsewhere/x")
    (places.folder / "big.bin").write_bytes(b"x" * 101)
    os.mkfifo(places.folder / "pipe")
    assert look_up(text, places) == (code, message.format(data=places.folder, root=root))


def test_a_link_to_itself_cannot_be_read(places):
    (places.folder / "loop").symlink_to(places.folder / "loop")
    code, message = look_up("loop", places)
    assert code == "FILE_UNREADABLE"
    assert message.startswith("'loop' cannot be read: ")
