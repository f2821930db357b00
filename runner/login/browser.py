"""Opens a URL in the user's browser.

Knows the commands that do so. Knows nothing of what the URL is for.
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
    """Open a browser at a URL; return whether one was started.

    The command is SFRUNNER_BROWSER, else BROWSER, else the system's own. `%s` in it stands for
    the URL, which otherwise is the last argument.
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
            stdout=subprocess.DEVNULL,  # a browser's messages are not this command's output
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends this command, not the browser
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
        return None  # a text browser would take over the terminal
    opener = next(filter(shutil.which, ("wslview", "xdg-open")), None)
    return [opener] if opener else None
