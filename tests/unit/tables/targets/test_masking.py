"""Masks: deterministic, keyed, the same however the bytes arrive."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import DamagedAnswerError
from runner.tables.targets.masking import Masker, masked_pages, null

KEY = "0123456789abcdef"


def of(form, *, key=KEY, is_fake=False, tells_case=False):
    return Masker(key).of(form, is_fake=is_fake, tells_case=tells_case)


FAKES = ("first name", "last name", "name", "company", "street", "city", "postal code")


def test_equal_values_have_equal_hashes_in_every_column_and_only_with_the_same_key():
    assert of("text")("Acme") == of("text")("ACME") == of("text")("Acme")
    assert of("text")("Acme") != of("text", tells_case=True)("Acme")
    assert of("text")("Acme") != of("text", key=KEY[::-1])("Acme")
    assert of("email")("a@b.c") == f"{of('text')('a@b.c')}@example.invalid"


@pytest.mark.parametrize(
    ("form", "is_fake", "shape"),
    [
        ("text", False, r"[a-z2-7]{16}"),
        ("email", False, r"[a-z2-7]{16}@example\.invalid"),
        ("email", True, r"[a-z]+\.[a-z]+\.[a-z2-7]{8}@example\.invalid"),
        ("phone", False, r"\+999\d{12}"),
        ("phone", True, r"\+999\d{12}"),
        ("url", True, r"https://example\.invalid/[a-z2-7]{16}"),
        *((fake, True, r"[A-Za-z0-9]+( [A-Za-z]+)*") for fake in FAKES),
    ],
)
def test_masks_have_the_form_of_their_field(form, is_fake, shape):
    mask = of(form, is_fake=is_fake)
    for value in ("a", "Ünï 😀", "x" * 1000):
        assert re.fullmatch(shape, mask(value))
    assert mask("") == ""
    assert null("x") == "#N/A"


def test_the_hash_of_a_value_stays_what_it_is():
    """Otherwise a copy into a sandbox that has one from an earlier release doubles its records."""
    assert of("text")("acme") == "kuth7mleegnhj5ns"


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r")),
            st.text(alphabet='ab",\n'),
        )
    ),
    st.integers(1, 7),
)
def test_a_csv_is_masked_however_it_arrives(rows, size):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [("Name", "Email"), *rows]
    )
    data = out.getvalue().encode()
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    found = b"".join(masked_pages({"email": lambda value: f"<{len(value)}>"}, chunks)).decode()
    header, *masked = csv.reader(io.StringIO(found, newline=""))
    assert header == ["Name", "Email"]
    assert masked == [[name, f"<{len(value)}>"] for name, value in rows]


@pytest.mark.parametrize("data", [b"", b"Name\nx\n", b"Email,Name\na\n"])
def test_a_page_without_its_masked_column_is_refused(data):
    with pytest.raises(DamagedAnswerError):
        list(masked_pages({"email": null}, [data]))
