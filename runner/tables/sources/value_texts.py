"""Values of typed sources as text, where Python's own text would be wrong.

Knows Python's values. Knows nothing of fields or of where the values come from.
"""

from __future__ import annotations

from datetime import timedelta


def duration_text(value: timedelta) -> str:
    """A duration as hours, minutes and seconds, `30:15:00`; below 24 hours it is a time of day."""
    sign, length = ("-", -value) if value < timedelta() else ("", value)
    seconds = length // timedelta(seconds=1)
    fraction = f".{length.microseconds:06}".rstrip("0") if length.microseconds else ""
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{sign}{hours:02}:{minutes:02}:{seconds % 60:02}{fraction}"
