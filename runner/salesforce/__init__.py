"""The org over the wire."""

import sys

# httpx works without its own command line, which takes longer to load than the rest of httpx.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
