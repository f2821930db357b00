"""What counts as equal to what a record holds: cases of the rules, and their table for the docs."""

from runner.tables.staging.equality import HeldField

PARENT = "a parent by its key, `Account.ERP_Id__c`"
FIELDS = {
    "text": HeldField("F", "string"),
    "multi-select picklist": HeldField("F", "multipicklist"),
    "checkbox": HeldField("F", "boolean"),
    "whole number": HeldField("F", "int"),
    "number with 2 decimals": HeldField("F", "double", 2),
    "currency with 2 decimals": HeldField("F", "currency", 2),
    "date": HeldField("F", "date"),
    "datetime": HeldField("F", "datetime"),
    "time": HeldField("F", "time"),
    "Id, lookup": HeldField("F", "reference"),
    PARENT: HeldField("Account.ERP_Id__c", "string", lookup="AccountId", tells_case=False),
    "every field": HeldField("F", "string"),
}
CASES = [
    # field, sent, held, equal, why
    ("every field", None, "a", True, "a blank with `blank: keep` changes nothing"),
    ("every field", "#N/A", None, True, "null is null"),
    ("every field", "#N/A", "a", False, "`#N/A`, or a blank with `blank: clear`, is null"),
    ("every field", "a", None, False, ""),
    ("text", " a\t", "a", True, "the org trims spaces, tabs and line ends"),
    ("text", "\u00a0a", "a", False, "but not a no-break space"),
    ("text", "A", "a", False, "letter case counts"),
    ("text", "a\nb", "a\nb", True, "line ends are sent as LF"),
    ("text", "a\nb", "a\r\nb", False, "and CR LF, as people's browsers write it, becomes LF"),
    ("text", "0123", "123", False, ""),
    ("text", "#N/A", "#N/A", False, "a text that looks like a null is none"),
    ("multi-select picklist", "B;A", "A;B", True, "the order does not count"),
    ("multi-select picklist", "B;;A;B;", "A;B", True, "each value counts once, blanks do not"),
    ("multi-select picklist", "A", "A;B", False, ""),
    ("checkbox", "false", None, True, "a checkbox has no null"),
    ("checkbox", "true", "false", False, ""),
    ("whole number", "42", "42.0", True, "by value"),
    ("number with 2 decimals", "1200.50", "1.2005E3", True, "by value"),
    ("number with 2 decimals", "1.005", "1.01", True, "at the field's scale: halves go up"),
    ("number with 2 decimals", "1.005", "1.0", False, ""),
    ("number with 2 decimals", "1.005", "1.005", True, ""),
    ("number with 2 decimals", "1.01", "1.005", False, "more decimals than the field has"),
    ("number with 2 decimals", "-1.005", "-1.01", True, ""),
    ("number with 2 decimals", "12345678901234.78", "12345678901234.77", False, ""),
    ("currency with 2 decimals", "1.005", "1", True, "halves go to the even digit"),
    ("currency with 2 decimals", "1.015", "1.02", True, ""),
    ("currency with 2 decimals", "1.005", "1.01", False, ""),
    ("date", "2026-01-31", "2026-01-31", True, ""),
    ("date", "2026-01-31", "2026-02-01", False, ""),
    ("datetime", "2026-01-31T08:00:00.000Z", "2026-01-31T08:00:00.000+0000", True, "a moment"),
    ("datetime", "2026-01-31T08:00:00.750Z", "2026-01-31T08:00:00.000Z", True, "to the second"),
    ("datetime", "2026-01-31T08:00:01.000Z", "2026-01-31T08:00:00.000Z", False, ""),
    ("datetime", "2026-01-31T08:00:00.000Z", "2026-01-31T08:00:00.000+0100", False, ""),
    ("time", "08:00:00.000Z", "08:00:00.000Z", True, ""),
    ("time", "08:00:00.500Z", "08:00:00.000Z", False, "to the millisecond"),
    ("Id, lookup", "001000000000001", "001000000000001AAA", True, "15 and 18 characters"),
    ("Id, lookup", "00100000000000a", "00100000000000AAA2", False, ""),
    (PARENT, "k1 ", "K1", True, "as the org finds the parent"),
    (PARENT, "K2", "K1", False, ""),
]  # fmt: skip


def table():
    """Markdown of the cases that say something about a rule."""
    lines = [
        "| field | sent | the record holds | equal | because |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, sent, held, is_equal, why in CASES:
        cells = (
            name,
            _shown(sent, "blank"),
            _shown(held, "null"),
            "yes" if is_equal else "no",
            why,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _shown(text, nothing):
    if text is None:
        return nothing
    for character, written in (("\n", r"\n"), ("\r", r"\r"), ("\t", r"\t"), ("\u00a0", "U+00A0 ")):
        text = text.replace(character, written)
    return f"`{text}`"
