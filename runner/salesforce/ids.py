"""Salesforce Ids: 15 characters where letter case counts, or 18 where it need not.

Source: the checksum is Salesforce's own; three characters, each of five letter-case bits.
"""

from __future__ import annotations

import re

_SHORT, _GROUP = 15, 5
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?")


def is_id(text: str) -> bool:
    """Whether a text has the form of an Id."""
    return _ID.fullmatch(text) is not None


def eighteen(record_id: str) -> str:
    """The 18-character form of an Id; one that has it already stays as it is."""
    if len(record_id) != _SHORT:
        return record_id
    groups = (record_id[start : start + _GROUP] for start in range(0, _SHORT, _GROUP))
    return record_id + "".join(_CHECK[_case_bits(group)] for group in groups)


def _case_bits(group: str) -> int:
    return sum(1 << bit for bit, letter in enumerate(group) if "A" <= letter <= "Z")
