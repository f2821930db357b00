"""Whether a sign-in led to the org that was meant.

Pure. Who is signed in elsewhere in the same browser, or has the key of another org, gets there
without noticing.
"""

from __future__ import annotations

from runner.errors import SignInError
from runner.job.model import Environment
from runner.salesforce.http.hosts import environment_of
from runner.salesforce.identity import Identity

_ID_LENGTH = 15
"""What follows in an Id of 18 characters is a checksum of these."""


def check_environment(wanted: Environment, instance_url: str, identity_url: str) -> None:
    """Refuse an org whose addresses are those of another kind.

    Args:
        wanted: The job's environment.
        instance_url: Where the org is; without My Domain it tells nothing.
        identity_url: The token answer's `id`, at login.salesforce.com or test.salesforce.com.

    Raises:
        SignInError: They are.
    """
    found = {environment_of(instance_url), environment_of(identity_url)}
    # A live org has neither mark of a sandbox; a sandbox may have but one.
    for environment in (Environment.LOCAL, Environment.SANDBOX, Environment.LIVE):
        if environment in found:
            _check(wanted, environment, instance_url)
            return


def check_identity(wanted: Environment, org_id: str | None, identity: Identity) -> None:
    """Refuse an org that says it is of another kind, or that is not the one insisted on.

    Args:
        wanted: The job's environment.
        org_id: The org the job insists on, 15 or 18 characters; None for any.
        identity: What the org says.

    Raises:
        SignInError: It does, or is not.
    """
    if identity.is_sandbox is not None and wanted is not Environment.LOCAL:
        told = Environment.SANDBOX if identity.is_sandbox else Environment.LIVE
        _check(wanted, told, f"{identity.org_name} ({identity.org_id})")
    if org_id is not None and org_id[:_ID_LENGTH] != identity.org_id[:_ID_LENGTH]:
        raise SignInError(
            f"The sign-in led to org {identity.org_id}; the job insists on {org_id}. "
            "Nothing was saved.",
            hint="Sign in as a user of that org, or correct `org_id` in the job.",
        )


def _check(wanted: Environment, found: Environment, org: str) -> None:
    if found is not wanted:
        raise SignInError(
            f"The sign-in led to a {found} org, {org}; the job's environment is {wanted}. "
            "Nothing was saved.",
            hint="Log out of Salesforce in the browser, or use a private window, and run the "
            "command again; or correct `environment` and `domain` in the job.",
        )
