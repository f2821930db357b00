import pytest
from msgspec.structs import replace

from runner.local_org.catalog.model import Field
from runner.local_org.records.column_values import column_reader
from runner.local_org.records.value_errors import RefusedError, UnreadableError
from runner.local_org.records.values import csv_reader, json_reader, to_json

SOAP = {"double": "xsd:double", "int": "xsd:int", "boolean": "xsd:boolean"}


def _field(kind, **members):
    return Field("F__c", "F", kind, soap_type=SOAP.get(kind, "xsd:string"), **members)


def from_json(field, value):
    return json_reader(field)(value)


def from_csv(field, text):
    return csv_reader(field)(text)


@pytest.mark.parametrize(
    ("kind", "stored", "json"),
    [
        ("boolean", 1, True),
        ("int", 5, 5),
        ("double", 100.0, 100.0),
        ("currency", 1e20, 1e20),
        ("double", 1e-7, 1e-7),
        ("date", "2011-07-07", "2011-07-07"),
        (
            "datetime",
            "2011-07-07T00:37:00.000Z",
            "2011-07-07T00:37:00.000+0000",
        ),
        ("time", "11:59:59.000Z", "11:59:59.000Z"),
        ("multipicklist", "A;B", "A;B"),
        ("string", None, None),
    ],
)
def test_the_json_form_of_a_value(kind, stored, json):
    assert to_json(_field(kind), stored) == json


@pytest.mark.parametrize(
    ("kind", "given", "stored"),
    [
        ("datetime", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.000Z"),
        ("datetime", "2024-01-02T03:04:05.5+0000", "2024-01-02T03:04:05.000Z"),
        ("datetime", "2024-01-02T03:04:05.123456-08:00", "2024-01-02T11:04:05.000Z"),
        ("boolean", "TRUE", 1),
        ("double", "12.5", 12.5),
        ("int", 5.0, 5),
        ("string", 12, "12"),
        ("string", "", None),
        ("string", " trimmed\t\r\n", "trimmed"),
        ("string", " \t", None),
        ("string", "\u00a0kept\u3000", "\u00a0kept\u3000"),
        ("email", " a@example.com ", "a@example.com"),
        ("datetime", "2024-01-02T03:04:05+14:00", "2024-01-01T13:04:05.000Z"),
        ("reference", "", None),
        ("multipicklist", "B;A;B", "B;A"),
        ("multipicklist", "A;;B;", "A;B"),
        ("multipicklist", ";", None),
    ],
)
def test_json_is_read_leniently_where_salesforce_is_lenient(kind, given, stored):
    assert from_json(_field(kind, scale=2), given) == stored


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("datetime", "2024-01-02"),
        ("datetime", "2024-02-30T00:00:00Z"),
        ("datetime", "2024-01-02T25:00:00Z"),
        ("datetime", "2024-01-02T03:04:05+14:01"),
        ("datetime", "2024-01-02T03:04:05-15:00"),
        ("datetime", 5),
        ("date", "2024-1-2"),
        ("date", "1600-01-01"),
        ("date", "2023-02-29"),
        ("boolean", "yes"),
        ("boolean", 1),
        ("double", "1,5"),
        ("double", "nan"),
        ("double", "1_000"),
        ("double", "\u0663"),
        ("double", 10**400),
        ("double", "9" * 400),
        ("double", True),
        ("int", 1.5),
        ("string", {"a": 1}),
        ("time", "8:30"),
    ],
)
def test_json_of_another_type_is_unreadable(kind, given):
    with pytest.raises(UnreadableError):
        from_json(_field(kind), given)


def test_rich_text_keeps_its_outer_spaces():
    field = replace(_field("textarea"), html_formatted=True)
    assert from_json(field, " <b>a</b> ") == " <b>a</b> "


@pytest.mark.parametrize(
    ("name", "compound", "most"),
    [
        ("BillingLatitude", "BillingAddress", 90),
        ("MailingLongitude", "MailingAddress", 180),
        ("Place__Latitude__s", "Place__c", 90),
        ("Place__Longitude__s", "Place__c", 180),
    ],
)
def test_degrees_have_bounds(name, compound, most):
    field = Field(name, "F", "double", scale=5, precision=9, compound_field_name=compound)
    readers = (json_reader(field), csv_reader(field), lambda text: column_reader(field)([text])[0])
    for read in readers:
        assert read(f"-{most}") == -most
        with pytest.raises(RefusedError):
            read(f"{most}.00001")
        with pytest.raises(RefusedError):
            read(f"{most + 1}")


def test_numbers_are_rounded_to_their_scale_and_bounded_by_their_precision():
    field = _field("double", precision=5, scale=2)
    assert from_json(field, 1.239) == 1.24
    with pytest.raises(RefusedError):
        from_json(field, 1000)


def test_a_whole_number_has_at_most_its_digits():
    with pytest.raises(RefusedError):
        from_json(_field("int", digits=8), 100_000_000)


@pytest.mark.parametrize("text", ["true", "1", "Yes", "y"])
def test_csv_has_many_words_for_true(text):
    assert from_csv(_field("boolean"), text) == 1


@pytest.mark.parametrize("address", ["a@b.co", "a.b+c@sub.example.org", "o'neil@x.io"])
def test_email_addresses(address):
    assert from_json(_field("email", length=80), address) == address


@pytest.mark.parametrize("address", ["a", "a@b", "@b.co", "a b@c.de", "a@b..co", ".a@b.co"])
def test_what_is_no_email_address(address):
    with pytest.raises(RefusedError):
        from_json(_field("email", length=80), address)


def test_an_id_is_lengthened_and_a_wrong_checksum_refused():
    assert from_json(_field("reference"), "0015500001QdQWa") == "0015500001QdQWaAAN"
    with pytest.raises(RefusedError):
        from_json(_field("reference"), "0015500001QdQWaAAA")


@pytest.mark.parametrize(
    ("kind", "given", "stored"),
    [
        ("double", "0.125", 0.13),
        ("double", "0.135", 0.14),
        ("double", "-0.125", -0.13),
        ("currency", "0.125", 0.12),
        ("currency", "0.135", 0.14),
        ("percent", "2.675", 2.68),
        ("currency", "1234567890123456.785", "1234567890123456.78"),
        ("double", 10**17 + 1, "100000000000000001.0"),
    ],
)
def test_decimals_beyond_the_scale_are_rounded_by_their_digits(kind, given, stored):
    """Currency half to even, other numbers half up; not by what a double made of them."""
    assert from_json(_field(kind, scale=2), given) == stored
    assert from_csv(_field(kind, scale=2), str(given)) == stored


@pytest.mark.parametrize("kind", ["double", "currency", "percent"])
@pytest.mark.parametrize(("precision", "scale"), [(18, 0), (18, 2), (5, 2), (0, 0), (18, 15)])
def test_a_number_in_csv_is_read_as_in_json(kind, precision, scale):
    field = _field(kind, precision=precision, scale=scale)

    def read(reader, text):
        try:
            return repr(reader(field, text))
        except (UnreadableError, RefusedError) as error:
            return type(error), str(error)

    for text in (
        "0", "-0", "-0.0", "7", "12.5", "0.5", "1.005", "99999.995", "-2.675", "123456789.12",
        "123456789012345", "12345678901234.56", "1234567890123456.78", "1e3", ".5", "5.", "+5",
        "1_0",
    ):  # fmt: skip
        assert read(from_csv, text) == read(from_json, text), text
