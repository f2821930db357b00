"""An upload is read in chunks: rows, where each chunk ends, and what is wrong with the rest."""

import pytest

from runner.local_org.bulk.csv_reading import MAX_FIELD_CHARACTERS, Upload
from runner.local_org.bulk.failure import JobFailure

LONG = "x" * (MAX_FIELD_CHARACTERS // 2)
TOO_LONG = "x" * (MAX_FIELD_CHARACTERS + 1)


def chunks_of(path, content, most):
    """Rows and the text of each chunk, and the failure after them if there is one."""
    path.write_bytes(content)
    upload = Upload(path)
    upload.read_header()
    chunks, start = [], upload.rows_start
    try:
        for chunk in upload.chunks(start, most):
            chunks.append((chunk.rows, content[start : chunk.end_byte]))
            start = chunk.end_byte
    except JobFailure as failure:
        return chunks, str(failure)
    finally:
        upload.close()
    return chunks, None


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"1,2\n3,4\n", [["1", "2"], ["3", "4"]]),
        (b"1,2\n3,4", [["1", "2"], ["3", "4"]]),
        (b"\n1,2\n\n\n3,4\n\n", [["1", "2"], ["3", "4"]]),
        (b'"1\n1",2\n3,"4\n\n"\n', [["1\n1", "2"], ["3", "4\n\n"]]),
        (b'"a ""b""",2\n"","4"\n', [['a "b"', "2"], ["", "4"]]),
        ("ä,2\n3,\u2028\n".encode(), [["ä", "2"], ["3", "\u2028"]]),
        (b"1,2,3\n3,4\n", [["1", "2", "3"], ["3", "4"]]),
        (f"{LONG},{LONG}\n{LONG},\n".encode(), [[LONG, LONG], [LONG, ""]]),
    ],
)
def test_rows_are_the_same_however_many_are_read_at_once(tmp_path, content, rows):
    content = b"a,b\n" + content
    for most in (1, 2, 3, 200):
        chunks, failure = chunks_of(tmp_path / "upload.csv", content, most)
        assert failure is None
        assert [row for chunk, _ in chunks for row in chunk] == rows
        assert all(len(chunk) == most for chunk, _ in chunks[:-1])
        alone = [chunks_of(tmp_path / "alone.csv", b"a,b\n" + text, 200) for _, text in chunks]
        assert [found[0][0][0] for found in alone] == [chunk for chunk, _ in chunks]


@pytest.mark.parametrize(
    ("wrong", "failure"),
    [
        (b'1"1,2\n', "Found unescaped quote"),
        (b'"1"1,2\n', "Found unescaped quote"),
        (b"1\n", "Number of fields in a row (1) differs from the header (2)"),
        (b"\xff,2\n", "not valid UTF-8"),
        (b"1,2\r3,4\n", "a line ending outside quotes"),
        (f"{TOO_LONG},2\n".encode(), "A field is longer"),
        (f"1,2{',x' * 200_000}\n".encode(), "EOF reached before closing"),
        (f"1,2{f',{LONG}' * 7}\n".encode(), "A row is longer"),
    ],
)
def test_of_several_mistakes_the_first_is_told_after_the_chunks_before(tmp_path, wrong, failure):
    content = b'a,b\n1,2\n3,4\n"5\n",6\n' + wrong + b'7,8\n"\n'
    chunks, told = chunks_of(tmp_path / "upload.csv", content, 3)
    assert chunks == [([["1", "2"], ["3", "4"], ["5\n", "6"]], b'1,2\n3,4\n"5\n",6\n')]
    assert failure in told
