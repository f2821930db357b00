"""Which API a test uses. A verb is tested over both (`test_verbs.py`), what is common to them over
one of them, in turn; the other is the long form.
"""

import pytest

REST, BULK = "rest", "bulk"
BOTH = pytest.mark.parametrize("api", [REST, BULK])
OVER_REST = pytest.mark.parametrize("api", [REST, pytest.param(BULK, marks=pytest.mark.slow)])
OVER_BULK = pytest.mark.parametrize("api", [BULK, pytest.param(REST, marks=pytest.mark.slow)])
