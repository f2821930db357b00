"""Which cases of a test are run by default; the others wait for `-m slow`.

Of cases that show the same behaviour, the short form has one of each kind, chosen, not drawn.
"""

import pytest


def slow(*cases):
    """Cases of the long form only; a case of several values is a tuple."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
        for case in cases
    ]


def short_form(cases, chosen):
    """All cases; those that are not chosen are of the long form."""
    unknown = [each for each in chosen if each not in cases]
    assert not unknown, f"not a case: {unknown}"
    return [case if case in chosen else slow(case)[0] for case in cases]
