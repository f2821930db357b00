"""Whether a sign-in led to the expected org.

Pure. A browser that is signed in to another org, or the key of another org, leads there without
notice.
"""

from __future__ import annotations

from runner.errors import SignInError
from runner.job.model import Environment
from runner.salesforce.http.hosts import environment_of
from runner.salesforce.identity import Identity

_ID_LENGTH = 15
"""The rest of an Id of 18 characters is a checksum of these."""


def check_environment(wanted: Environment, instance_url: str, identity_url: str) -> None:
    """Refuse an org whose URLs are those of another environment.

    Args:
        wanted: The job's environment.
        instance_url: The org's URL; without My Domain it does not show the environment.
        identity_url: The token answer's `id`, at login.salesforce.com or test.salesforce.com.

    Raises:
        SignInError: They are those of another environment.
    """
    found = {environment_of(instance_url), environment_of(identity_url)}
    # A live org's URLs show no sandbox; of a sandbox's, one may not.
    for environment in (Environment.LOCAL, Environment.SANDBOX, Environment.LIVE):
        if environment in found:
            _check(wanted, environment, instance_url)
            return


def check_identity(wanted: Environment, org_id: str | None, identity: Identity) -> None:
    """Refuse an org of another environment, or another org than the job's `org_id`.

    Args:
        wanted: The job's environment.
        org_id: The job's `org_id`, 15 or 18 characters; None for any org.
        identity: What the org says about itself.

    Raises:
        SignInError: It is another.
    """
    if identity.is_sandbox is not None and wanted is not Environment.LOCAL:
        found = Environment.SANDBOX if identity.is_sandbox else Environment.LIVE
        _check(wanted, found, f"{identity.org_name} ({identity.org_id})")
    if org_id is not None and org_id[:_ID_LENGTH] != identity.org_id[:_ID_LENGTH]:
        raise SignInError(
            f"The sign-in led to org {identity.org_id}; the job's org_id is {org_id}. "
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
