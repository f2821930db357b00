"""Which cases of a test are run by default; the others wait for `-m slow`.

Of cases that show the same behaviour, the short form has one of each kind, chosen, not drawn; of
properties, a few examples.
"""

import pytest
from hypothesis import settings

MANY = 20
"""Times as many examples has a property in the long form."""
is_long = False
"""Whether the long form is asked for; known before modules of tests are imported."""


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


def sampled(few, **named):
    """Settings of a property that has few examples, and many in the long form."""
    if not is_long:
        return settings(max_examples=few, **named)
    return lambda test: pytest.mark.slow(settings(max_examples=MANY * few, **named)(test))
