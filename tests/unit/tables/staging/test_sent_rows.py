"""Rows to send are read back as they were staged, or not at all."""

import pytest

from runner.errors import StateError
from runner.tables.field_types import MappedColumn

COLUMNS = [MappedColumn("Key__c", "k", required=True), MappedColumn("Name", "trim(n)")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"1,a\n", "has other rows than were staged"),
        (b"1,a\n2\n", "has other cells"),
        (b'1,a\n2,"b\n', "unexpected end of data"),
        (b"1,a\n2,\xff\n", "can't decode byte"),
        (None, "No such file"),
    ],
)
def test_a_damaged_file_ends_the_write(stage, content, why):
    staging = stage(b"k,n\n1, a\n2,b\n", COLUMNS)
    (chunk,) = staging.chunks
    assert chunk.sent_file.read_bytes() == b"1,a\n2,b\n"
    assert not staging.database.is_open
    chunk.sent_file.unlink()
    if content is not None:
        chunk.sent_file.write_bytes(content)
    with pytest.raises(StateError, match=why):
        list(staging.batches(200))


def test_rows_after_others_keep_their_numbers(stage):
    staging = stage(b"k,n\n1,a\n2,\n3,c\n", COLUMNS)
    assert list(staging.batches(2, after_row=1)) == [
        [(2, {"Key__c": "2"}), (3, {"Key__c": "3", "Name": "c"})]
    ]
