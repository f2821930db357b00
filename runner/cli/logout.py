"""`runner logout`: revoke the tokens of a sign-in and delete them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Argument, Option
from runner.cli.options import Output, OutputOption, Target
from runner.cli.settings import AllowHost, AllowOutside, permissions, user_state
from runner.cli.terminal import echo

if TYPE_CHECKING:
    from runner.login.logout import SignedOut

EXAMPLES = """\
runner logout jobs/accounts.yaml
"""


def logout(
    job: Annotated[
        Path | None, Argument(help="The job whose connection to sign out.", metavar="[JOB]")
    ] = None,
    target: Target = None,
    token: Annotated[
        Path | None,
        Option(
            "--token",
            metavar="FILE",
            help="The token file to delete, if no job is given; or SFRUNNER_TOKEN_FILE.",
        ),
    ] = None,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Revoke the tokens at the org, then delete the token file."""
    from runner.cli.login_options import sign_in_target, token_place
    from runner.login.logout import log_out
    from runner.runs.wiring import open_transport

    permitted = permissions(allow_host, allow_outside, user_state())
    store = token_place(sign_in_target(job, permitted, target=target, token=token))
    with open_transport(permitted) as transport:
        signed_out = log_out(store, transport)
    _print(signed_out, store.describe(), output)


def _print(signed_out: SignedOut, deleted: str, output: Output) -> None:
    from runner.report.sinks import printable

    revoked, remaining = signed_out.revoked, signed_out.remaining
    if output is Output.JSON:
        document = {"revoked": revoked.done, "deleted": deleted, "remaining": remaining}
        echo(json.dumps(document))
        return
    if revoked.done:
        echo("Revoked the tokens at the org.")
    else:
        echo(printable(f"Could not revoke the tokens: {revoked.problem}"), err=True)
    if remaining:
        echo(printable(remaining), err=True)
    echo(f"Deleted {deleted}.")
