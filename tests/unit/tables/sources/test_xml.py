"""What an XML record has besides elements with one text each."""

import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat

SHAPE = {"record": "/r/a"}


def test_attributes_of_values_are_columns_too(stage, rows_of):
    content = (
        b"<r xmlns:xsi='u'><a xmlns='v' no='1'><price cur='EUR'> 5 </price>"
        b"<day xsi:nil='true' xmlns='v' xml:lang='de'/></a></r>"
    )
    staging = stage(content, form=FileFormat.XML, shape=SHAPE)
    assert rows_of(staging) == [{"no": "1", "price": " 5 ", "price.cur": "EUR"}]
    assert staging.columns == ("no", "price.cur", "price", "day")


@pytest.mark.parametrize(
    "record",
    ["<a no='1'>Acme</a>", "<a>Acme<b>1</b></a>", "<a><b>1</b>\n Acme\n</a>", "<a>Acme</a>"],
)
def test_text_of_a_record_that_no_element_has_is_refused(stage, record):
    with pytest.raises(SourceError, match="'Acme' is in a record, but in none of its elements"):
        stage(f"<r>{record}</r>".encode(), form=FileFormat.XML, shape=SHAPE)
