"""The installed command `runner`; its name is one that no script of a user has.

Python puts the folders of PYTHONPATH before everything that is installed, so that a `runner.py` or
a `yaml.py` there would be imported instead of the package. Knows only that.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Put the folders of PYTHONPATH behind what is installed, then run the command line."""
    named = os.environ.get("PYTHONPATH")
    # An empty name stands for the current folder.
    folders = named.split(os.pathsep) if named else []
    behind = {os.path.realpath(folder or os.curdir) for folder in folders}
    sys.path.sort(key=lambda folder: os.path.realpath(folder) in behind)  # a stable sort

    from runner.cli.main import main as run  # noqa: PLC0415 - not before the path is in order

    run()


if __name__ == "__main__":
    main()
