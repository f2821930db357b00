import pytest

from runner.job.yaml.tree import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-17", -17),
        ("+3", 3),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.0", 1.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-2.5E-3", -0.0025),
    ],
)
def test_core_scalars_have_their_values(text, value):
    assert (resolve(text), type(resolve(text))) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    ["NO", "no", "yes", "on", "off", "y", "0123", "-007", "1_000", "12:30", "2024-01-31", "1.2.3",
     ".inf", "-.INF", ".nan", "1e999", "9" * 5000, "tRUE", "nil", "0b11", "1,5", "=", "<<"],
)  # fmt: skip
def test_everything_else_stays_text(text):
    assert resolve(text) == text
