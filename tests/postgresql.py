"""A real PostgreSQL for tests and benchmarks, if its programs are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None) or next(
    (Path(found).parent for found in [shutil.which("initdb")] if found), None
)
"""None where PostgreSQL is not installed: `apt install postgresql`."""
USER = "sync"


def as_nobody() -> dict[str, Any]:
    """What runs a program as another user: PostgreSQL refuses to be root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def cluster() -> Iterator[Path]:
    """Run a cluster on a socket in a folder of its own; gives the socket's folder."""
    assert PROGRAMS is not None
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # a socket's path must be short
        root = Path(folder)
        if os.geteuid() == 0:
            shutil.chown(root, "nobody", "nogroup")
        data = root / "cluster"
        ran: dict[str, Any] = {"timeout": 60, "cwd": folder, **as_nobody()}
        made = ["-D", data, "-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync", "--locale=C"]
        subprocess.run([PROGRAMS / "initdb", *made], check=True, capture_output=True, **ran)
        options = f"-c listen_addresses= -c unix_socket_directories={root} -c fsync=off"
        control = [PROGRAMS / "pg_ctl", "-D", data, "-w", "-s"]
        ran |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([*control, "-l", root / "log", "-o", options, "start"], check=True, **ran)
        try:
            yield root
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, **ran)


def url_of(socket: Path) -> str:
    """The URL of a cluster's database, for SQLAlchemy."""
    return f"postgresql+psycopg://{USER}:pass-word@/postgres?host={socket}"
