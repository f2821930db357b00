"""What a transformation spec of Bulk API 1.0 makes of a value."""

import pytest

from runner.local_org.bulk.failure import JobFailure
from runner.local_org.bulk1.transformation import Transformation
from runner.local_org.catalog.standard import standard_catalog

HEAD = "Salesforce Field,Csv Header,Value,Hint\n"


@pytest.mark.parametrize(
    ("sobject", "line", "given", "made"),
    [
        ("Account", "Name,N,,", "A, B", ["A, B"]),
        ("Contact", "Name,N,,", "Cher", ["Cher", ""]),
        ("Contact", "Birthdate,N,,dd.MM.yyyy", "31.01.1980", ["1980-01-31"]),
        ("Contact", "Birthdate,N,,dd MM yy", "10 Feb 60", ["1960-02-10"]),
        ("Contact", "Birthdate,N,,dd.MM.yyyy", "soon", ["soon"]),
        ("Event", "StartDateTime,N,,M/d/yyyy h:mm a", "2/3/2024 4:05 PM", ["2024-02-03T16:05:00"]),
        ("Event", "IsAllDayEvent,N,,(?i)x|yes", "YES", ["true"]),
        ("Event", "IsAllDayEvent,N,,(?i)x|yes", "no", ["false"]),
        ("Account", "Site,N,HQ,", "", ["HQ"]),
        ("Account", "Site,,HQ,", "ignored", ["HQ"]),
    ],
)
def test_a_value_is_transformed(sobject, line, given, made):
    spec = Transformation(HEAD + line + "\n", standard_catalog().sobject(sobject))
    assert spec.rows(["N"], [[given]]) == [made]
    assert len(spec.header) == len(made)
    assert spec.rows(["N"], [[given, "too much"]]) == [[*made, "too much"]]


def test_a_hint_that_is_no_expression_is_refused():
    with pytest.raises(JobFailure, match="no expression"):
        Transformation(f"{HEAD}IsAllDayEvent,N,,(\n", standard_catalog().sobject("Event"))
