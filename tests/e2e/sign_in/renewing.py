"""A process that uses a token file each time it is told to: `renewing.py TOKEN_FILE`.

Says `ready` once; then, for each line on stdin, asks the org something and says the status.
"""

import sys
from pathlib import Path

from runner.job.model import RetryPolicy
from runner.salesforce.http.retry import Retrier
from runner.salesforce.http.transport import Transport
from runner.salesforce.session import Session
from runner.state.tokens.file import TokenFile


def main():
    store = TokenFile(Path(sys.argv[1]), login_command="runner login job.yaml")
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
