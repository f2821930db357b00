"""The header of Bulk rows becomes the job's, and the rows stay as they are."""

import pytest

from runner.errors import UnexpectedAnswerError
from runner.tables.targets.bulk_header import name_columns
from runner.tables.targets.rest_rows import QueryColumn


def named(tmp_path, text, *columns):
    file = tmp_path / "records.csv"
    file.write_text(text, newline="")
    name_columns(file, columns)
    return file.read_bytes().decode()


def test_letter_case_becomes_the_jobs(tmp_path):
    text = '"Id","Account.Name"\n"1","a,""b"\n2\r\n"\n'
    columns = (QueryColumn("ID"), QueryColumn("account.name"))
    assert named(tmp_path, text, *columns) == text.replace(
        '"Id","Account.Name"', '"ID","account.name"'
    )


def test_a_header_of_another_length_is_replaced(tmp_path):
    text = 'Id,Name\n"1","x"\n'
    columns = (QueryColumn("ID"), QueryColumn("name"))
    assert named(tmp_path, text, *columns) == '"ID","name"\n"1","x"\n'


def test_columns_in_alphabetical_order_are_put_in_the_jobs(tmp_path):
    text = '"A","B","C"\n"1","two\nlines","' + "x" * 200_000 + '"\n'
    columns = (QueryColumn("c"), QueryColumn("A"), QueryColumn("b"))
    assert named(tmp_path, text, *columns) == (
        '"c","A","b"\n"' + "x" * 200_000 + '","1","two\nlines"\n'
    )


def test_fields_that_the_org_adds_stay(tmp_path):
    columns = (QueryColumn("ID"), QueryColumn("gone", from_fields=True))
    assert named(tmp_path, '"Id","New"\n"1","2"\n', *columns) == '"ID","New"\n"1","2"\n'


def test_a_column_that_the_rows_lack_is_an_error(tmp_path):
    with pytest.raises(UnexpectedAnswerError, match=r"selects 'Name'.*they have: Id, Nom"):
        named(tmp_path, '"Id","Nom"\n"1","2"\n', QueryColumn("Id"), QueryColumn("Name"))
