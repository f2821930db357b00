"""A process that uses a token each time it is told to: `renewing.py TOKEN_FILE`.

Or `renewing.py state:NAME`, a token of the state in SFRUNNER_STATE.

Says `ready` once; then, for each line on stdin, asks the org something and says the status.
"""

import os
import sys
from pathlib import Path

from runner.credentials import SecretReference
from runner.job.model import RetryPolicy
from runner.salesforce.http.retry import Retrier
from runner.salesforce.http.transport import Transport
from runner.salesforce.session import Session
from runner.state.paths import state_at
from runner.state.shared.token import SharedToken
from runner.state.tokens.file import TokenFile


def store_of(place):
    if not place.startswith("state:"):
        return TokenFile(Path(place), login_command="runner login job.yaml")
    name, key = place.removeprefix("state:"), SecretReference(env="TOKEN_KEY")
    return SharedToken(name, state_at(None, os.environ).create(), key, login_command="runner login")


def main():
    store = store_of(sys.argv[1])
    with Transport() as transport:
        session = Session(transport, store, Retrier(RetryPolicy()), login_command="runner login")
        session.api_version = "62.0"
        print("ready", flush=True)  # noqa: T201 - the parent waits for it
        for _line in sys.stdin:
            try:
                told = session.request("GET", "/limits").status
            except Exception as error:  # noqa: BLE001 - whatever it is, the parent is told
                told = repr(error)
            print(told, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
