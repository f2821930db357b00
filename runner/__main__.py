"""The command's way in; answers `--version` before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:
        from runner import __version__  # noqa: PLC0415 - the shortest way to the answer

        sys.stdout.write(f"runner {__version__}\n")
        return
    from runner.cli.main import run_command  # noqa: PLC0415

    run_command()


if __name__ == "__main__":
    main()
