"""The org over the wire."""

import sys

# httpx does without its own command line where that cannot be had; it takes longer to load than
# the rest of httpx, and every process would wait for it.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
