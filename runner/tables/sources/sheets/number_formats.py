"""What the number of a cell becomes as text, by the cell's number format (ECMA-376, 18.8.31).

A cell is what a person sees in it: a date, 25 %, 00123. So these are read as shown; any other
format only decorates a number, which is read with all its digits. Knows nothing of files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache, partial

from runner.tables.sources.value_texts import duration_text

NumberText = Callable[[str], str]
"""The text of a number as the file writes it; ValueError if it is not a number."""

BUILT_IN = {
    9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy",
    18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd"), 32: "h:mm",
    33: "h:mm:ss", 34: "h:mm", 35: "h:mm:ss", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
}  # fmt: skip
"""Formats that a file only numbers (18.8.30); those not listed decorate a number."""

_SHOWN_DIGITS = 15
"""Excel shows no more: 0.1 + 0.2 is 0.3."""
_DAY_MS = 86_400_000
_FEBRUARY_29 = 60
"""A day of 1900 that only Excel has; the days before it count from one later."""
_REPEATED = 4_096
"""Numbers of a format whose texts are kept: days and shares occur again and again."""
_PADDING_ZEROS = 2
_LITERALS = frozenset("-+(): !^&'~{}<>=")
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|[_*].?|\[(?P<bracket>[^\]]*)\]|(?P<sign>.)', re.DOTALL
)
Tokens = list[tuple[str, str]]
"""The kind of each part of a format, and its text."""
_ELAPSED = re.compile("h+|m+|s+", re.IGNORECASE)


def number_text(number: str) -> str:
    """A number without an exponent: a whole one with all digits, a fraction with 15 at most."""
    if number.isdecimal() and number.isascii():
        return number.lstrip("0") or "0"
    double = float(number)
    if not math.isfinite(double):
        raise ValueError(number)
    if double == 0:
        return "0"
    if double.is_integer():
        return f"{Decimal(number).to_integral_value():f}"
    text = f"{double:.{_SHOWN_DIGITS}g}"
    return f"{Decimal(text):f}" if "e" in text else text


def text_by_format(code: str, *, from_1904: bool = False) -> NumberText:
    """Find how numbers of a format are written.

    Args:
        code: The format as the file has it, `0.00%`.
        from_1904: Whether the days of the workbook count from 1904.
    """
    sections: list[Tokens] = [[]]
    for found in _TOKEN.finditer(code):
        kind = found.lastgroup
        if kind == "sign" and found[kind] == ";":
            sections.append([])
        elif kind is not None:
            sections[-1].append((kind, found[kind]))
    rules = [_rule(section, from_1904=from_1904) for section in sections[:3]]
    rule = rules[0] if len(rules) == 1 else partial(_by_sign, rules)
    return rule if rule is number_text else lru_cache(_REPEATED)(rule)


def _by_sign(rules: Sequence[NumberText], number: str) -> str:
    """Sections are for positive numbers, negative ones and zero."""
    double = float(number)
    at = 1 if double < 0 else 2 if double == 0 else 0
    if at == 1 and isinstance(rules[1], partial) and rules[1].func is _padded:
        return str(rules[1](number.lstrip("-")))  # such a section shows its own sign
    return rules[at if at < len(rules) else 0](number)


def _rule(tokens: Tokens, *, from_1904: bool) -> NumberText:
    signs = "".join(text for kind, text in tokens if kind == "sign")
    brackets = [text for kind, text in tokens if kind == "bracket"]
    lower = signs.lower().replace("am/pm", "h").replace("a/p", "h")
    if "general" in lower:
        return number_text
    if any(map(_ELAPSED.fullmatch, brackets)):
        return _duration
    if set(lower) & set("ymdhs"):
        has_time = bool(set(lower) & set("hs"))
        has_day = bool(set(lower) & set("yd")) or not has_time
        return partial(_moment, has_day, has_time, from_1904)
    if "%" in signs:
        return partial(percent_text, times=signs.count("%"))
    if _is_padding(signs, brackets):
        shown = [each for each in tokens if each[0] != "bracket"]
        return partial(_padded, [(kind == "sign" and text in "0#", text) for kind, text in shown])
    return number_text


def _is_padding(signs: str, brackets: Sequence[str]) -> bool:
    """Whether a format shows leading zeros: two or more digits that are always there."""
    has_condition = any(each.startswith(("<", ">", "=")) for each in brackets)
    is_money = any(re.match(r"\$[^-]", each) for each in brackets)
    return (
        signs.count("0") >= _PADDING_ZEROS
        and set(signs) <= _LITERALS | set("0#")
        and not has_condition
        and not is_money
    )


def percent_text(number: str, *, times: int = 1) -> str:
    """The number before the percent sign: 25 for 0.25; a hundred times that for two signs."""
    shifted = f"{Decimal(f'{number_text(number)}E{2 * times}'):f}"
    return shifted.rstrip("0").rstrip(".") if "." in shifted else shifted


def _padded(pattern: Sequence[tuple[bool, str]], number: str) -> str:
    """Digits at the places of a pattern, from the right; a fraction has none there."""
    text = number_text(number)
    if "." in text:
        return text
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    rest = "" if digits == "0" else digits
    first = next(at for at, (is_digit, _) in enumerate(pattern) if is_digit)
    shown: list[str] = []
    for at in range(len(pattern) - 1, -1, -1):
        is_digit, literal = pattern[at]
        if not is_digit:
            shown.append(literal)
            continue
        taken = rest if at == first else rest[-1:]
        rest = rest[: len(rest) - len(taken)]
        shown.append(taken or literal.strip("#"))
    return sign + "".join(reversed(shown))


def _duration(number: str) -> str:
    try:
        return duration_text(timedelta(milliseconds=round(float(number) * _DAY_MS)))
    except OverflowError:
        return number_text(number)


def _moment(has_day: bool, has_time: bool, from_1904: bool, number: str) -> str:  # noqa: FBT001
    """A date, a time of day, or both; what Excel itself cannot show as one stays a number."""
    double = float(number)
    if not 0 <= double < _DAY_MS:
        return number_text(number)
    days, ms = divmod(round(double * _DAY_MS), _DAY_MS)
    time = f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}"
    time += f".{ms % 1_000:03}" if ms % 1_000 else ""
    if not has_day and not days:
        return time
    day = _day_text(days, from_1904=from_1904)
    if day is None:
        return number_text(number)
    return f"{day} {time}" if has_time or ms else day


def _day_text(days: int, *, from_1904: bool) -> str | None:
    """The day of a number; Excel also has a 0 January and a 29 February of 1900."""
    if not from_1904 and days in {0, _FEBRUARY_29}:
        return "1900-02-29" if days else "1900-01-00"
    first = date(1904, 1, 1) if from_1904 else date(1899, 12, 31 if days < _FEBRUARY_29 else 30)
    try:
        return (first + timedelta(days)).isoformat()
    except OverflowError:
        return None
