"""Numbers that the org writes otherwise than they were sent, and their rows."""

import pytest

from runner.errors import UnexpectedAnswerError
from runner.tables.field_types import FieldKind, MappedColumn
from tests.unit.tables.results.parts import read, take_in


@pytest.mark.parametrize("is_key", [True, False], ids=["key", "content"])
@pytest.mark.parametrize("digits", [0, 12, 15])
def test_long_numbers_that_are_the_same_double_are_told_apart(
    one_part, answer, tmp_path, is_key, digits
):
    """Numbers next to each other above 2**53, which the org echoes with an exponent."""
    columns = [MappedColumn("Number__c", None, FieldKind.NUMBER, required=is_key)]
    sent = [str(9_007_199_254_740_992 // 10**digits + n) for n in range(9)]
    source = "Number__c\n" + "".join(f"{each}\n" for each in sent)
    results, part = one_part(source.encode(), columns)
    told = [
        f'"001{at}","true","{each[0]}.{each[1:] or 0}E{len(each) - 1}"\n'
        for at, each in enumerate(sent, start=1)
    ]
    succeeded = answer("ok", "sf__Id,sf__Created,Number__c\n" + "".join(told[::-1]))
    take_in(results, part, succeeded=succeeded, failed=None, unprocessed=None)
    assert results.write_files(tmp_path).created == len(sent)
    found = read(tmp_path / "succeeded.csv")
    assert [each["sf__Id"] for each in found] == [f"001{each['sf__Row']}" for each in found]


def test_numbers_that_the_org_rounds_are_matched_where_one_row_fits(one_part, answer, tmp_path):
    columns = [MappedColumn("Number__c", None, FieldKind.NUMBER)]
    results, part = one_part(b"Number__c\n123456789012345678\n123456789012345999\n", columns)
    told = "001B,true,1.23456789012346E17\n001A,true,1.2345678901234568E17\n"
    succeeded = answer("ok", "sf__Id,sf__Created,Number__c\n" + told)
    take_in(results, part, succeeded=succeeded, failed=None, unprocessed=None)
    results.write_files(tmp_path)
    assert [each["sf__Id"] for each in read(tmp_path / "succeeded.csv")] == ["001A", "001B"]


def test_a_number_that_fits_several_rows_leaves_them_in_doubt(one_part, answer, tmp_path):
    columns = [MappedColumn("Number__c", None, FieldKind.NUMBER)]
    results, part = one_part(b"Number__c\n9007199254740992\n9007199254740993\n", columns)
    told = '001A,true,"9.007199254740992E15"\n001B,true,"9.007199254740992E15"\n'
    succeeded = answer("ok", "sf__Id,sf__Created,Number__c\n" + told)
    with pytest.raises(UnexpectedAnswerError, match="rows without a result: 2"):
        take_in(results, part, succeeded=succeeded, failed=None, unprocessed=None)
