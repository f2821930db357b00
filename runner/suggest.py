"""Did you mean …? Words close to a misspelt one.

Pure. Knows nothing of what the words stand for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_LONGEST_WORD = 80
"""Characters; a longer word is not a typo, and comparing it takes long."""
_MOST_WORDS = 20
_ENDING = re.compile(r"(?<=.)__[a-z]$")


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option that `word` was most likely meant to be; None when none is close."""
    if len(word) > _LONGEST_WORD:
        return None
    folded: dict[str, str] = {}
    for option in sorted(options, key=lambda each: _ending(each) != _ending(word)):
        if len(option) <= _LONGEST_WORD:
            folded.setdefault(_stem(option), option)
    import difflib  # noqa: PLC0415 - not every start needs it

    near = difflib.get_close_matches(_stem(word), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def _stem(word: str) -> str:
    """What distinguishes a word from others: everything except its case and a common ending."""
    return word.casefold().removesuffix(_ending(word))


def _ending(word: str) -> str:
    found = _ENDING.search(word.casefold())
    return found[0] if found else ""


def did_you_mean(word: str, options: Iterable[str], otherwise: str | None = None) -> str | None:
    """The question "did you mean …?"; `otherwise` when no option is close."""
    near = closest(word, options)
    return f"did you mean `{near}`?" if near else otherwise


def in_words(options: Sequence[str], conjunction: str = "or") -> str:
    """`a`, `b` or `c`; of very many the first ones."""
    quoted = [f"`{option}`" for option in options[:_MOST_WORDS]]
    if len(options) > _MOST_WORDS:
        return f"{', '.join(quoted)}, …"
    if len(quoted) < 2:  # noqa: PLR2004 - a conjunction joins two
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {conjunction} {quoted[-1]}"


def members_hint(column: str, columns: Iterable[str]) -> str | None:
    """What to write for a column that is an object, whose members are columns; None if it is none.

    Args:
        column: The name that is not a column.
        columns: Names of those that there are.
    """
    members = [each for each in columns if each.lower().startswith(f"{column.lower()}.")]
    if not members:
        return None
    shown = in_words([f"'\"{each}\"'" for each in members], "or")
    return f"{column} is an object; write one of its members: {shown}"
