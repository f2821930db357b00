"""Whether an org is the one that a connection means: its environment, its domain, its `org_id`.

Pure. Every sign-in and every run asks here: a browser that is signed in to another org, the key of
another org or a token of another org leads there without notice.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from runner.errors import WrongOrgError
from runner.job.model import Connection, Environment
from runner.job.my_domain import host_of, my_domain_name
from runner.salesforce.http.hosts import environment_of
from runner.salesforce.identity import Identity

_ID_LENGTH = 15
"""The rest of an Id of 18 characters is a checksum of these."""


class ExpectedOrg(Struct, frozen=True):
    """The org that a connection means."""

    environment: Environment
    login_command: str
    """Signs in again; for messages."""
    domain: str | None = None
    """The job's `domain`, as written."""
    org_id: str | None = None
    """The job's `org_id`, 15 or 18 characters."""
    at_sign_in: bool = False
    """Whether somebody is signing in, so that nothing was sent or saved yet."""

    @classmethod
    def of(cls, connection: Connection, command: str, *, at_sign_in: bool = False) -> ExpectedOrg:
        """What a connection says of its org."""
        return cls(
            connection.environment,
            command,
            connection.domain,
            connection.org_id,
            at_sign_in,
        )

    def check_urls(self, instance_url: str, *others: str) -> None:
        """Refuse an org whose URLs are those of another environment or of another domain.

        Args:
            instance_url: The org's URL; without My Domain it does not show the environment.
            others: Where the token is from, or the user's identity URL, at login.salesforce.com or
                test.salesforce.com; "" for none.

        Raises:
            WrongOrgError: They are.
        """
        found = {environment_of(url) for url in (instance_url, *others) if url}
        # A live org's URLs show no sandbox; of a sandbox's, one may not.
        for environment in (Environment.LOCAL, Environment.SANDBOX, Environment.LIVE):
            if environment in found:
                self._check_environment(environment, instance_url)
                break
        self._check_domain(instance_url)

    def check_identity(self, identity: Identity) -> None:
        """Refuse an org of another environment, domain or Id than the job says.

        Raises:
            WrongOrgError: It is another.
        """
        org = f"{identity.org_name} ({identity.org_id})" if identity.org_name else identity.org_id
        if identity.is_sandbox is None:
            found = environment_of(identity.url)
            if found is not None:
                self._check_environment(found, org)
        elif self.environment is not Environment.LOCAL:
            is_sandbox = identity.is_sandbox
            self._check_environment(Environment.SANDBOX if is_sandbox else Environment.LIVE, org)
        self._check_domain(identity.my_domain_url)
        if self.org_id is not None and self.org_id[:_ID_LENGTH] != identity.org_id[:_ID_LENGTH]:
            wanted = "job's org_id is" if self.at_sign_in else "job is pinned to"
            raise self._refusal(f"org {identity.org_id}", f"the {wanted} {self.org_id}", "org_id")

    def _check_environment(self, found: Environment, org: str) -> None:
        if found is not self.environment:
            raise self._refusal(
                f"a {found} org, {org}",
                f"the job's environment is {self.environment}",
                "environment",
                "domain",
            )

    def _check_domain(self, url: str) -> None:
        if self.domain is None:
            return
        wanted = my_domain_name(host_of(self.domain, self.environment))
        found = my_domain_name((urlsplit(url).hostname or "").lower())
        if wanted and found and found != wanted:
            raise self._refusal(f"the org at {url}", f"the job's domain is {self.domain}", "domain")

    def _refusal(self, found: str, wanted: str, *keys: str) -> WrongOrgError:
        named = " and ".join(f"`{key}`" for key in keys)
        if self.at_sign_in:
            return WrongOrgError(
                f"The sign-in led to {found}; {wanted}. Nothing was saved.",
                key=keys[0],
                hint="Log out of Salesforce in the browser, or use a private window, and run the "
                f"command again; or correct {named} in the job.",
            )
        return WrongOrgError(
            f"The token belongs to {found}, but {wanted}. Nothing was sent.",
            key=keys[0],
            hint=f"Sign in to the org that the job means: `{self.login_command}`; or correct "
            f"{named} in the connection.",
        )
