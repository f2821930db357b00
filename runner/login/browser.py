"""Opens an address in the person's browser.

Knows the commands that do so. Knows nothing of what the address is for.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping

VARIABLE = "SFRUNNER_BROWSER"
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")


def open_browser(url: str, environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Start a browser at an address; tell whether one was started.

    The command is SFRUNNER_BROWSER's, else BROWSER's, else the system's own. `%s` in it stands for
    the address, which otherwise comes last.
    """
    command = _command(environ, platform)
    if command is None:
        return False
    arguments = [part.replace("%s", url) for part in command]
    if arguments == command:
        arguments.append(url)
    try:
        browser = subprocess.Popen(  # noqa: S603 - the user's own browser
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a browser's chatter is not this command's result
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends the waiting, not the browser
        )
    except OSError:
        return False
    threading.Thread(target=browser.wait, daemon=True).start()
    return True


def _command(environ: Mapping[str, str], platform: str) -> list[str] | None:
    chosen = environ.get(VARIABLE) or environ.get("BROWSER")
    if chosen:
        try:
            return shlex.split(chosen) or None
        except ValueError:
            return None
    if platform == "darwin":
        return ["open"]
    if not any(environ.get(name) for name in _SCREENS):
        return None  # a browser in the terminal would take it away from the command
    opener = next(filter(shutil.which, ("wslview", "xdg-open")), None)
    return [opener] if opener else None
