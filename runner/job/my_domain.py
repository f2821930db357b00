"""Which host a connection's `domain` means, and which kind of org a host belongs to.

Pure. Knows the host names of Salesforce: logins, My Domain with its partitions, and the pages whose
hosts people copy from the address bar. Knows nothing of tokens. Source: Salesforce Help, "My Domain
URL Formats".
"""

from __future__ import annotations

import re

from runner.job.model import Environment

LIVE_LOGIN_HOST = "login.salesforce.com"
SANDBOX_LOGIN_HOST = "test.salesforce.com"
_MY_DOMAIN = (".my.salesforce.com", ".my.salesforce.mil", ".my.sfcrmproducts.cn")
_SANDBOX_MARK = "--"
_SANDBOX = "sandbox"
_PARTITIONS = {
    _SANDBOX: Environment.SANDBOX,
    "scratch": Environment.SANDBOX,
    "develop": Environment.LIVE,
    "trailblaze": Environment.LIVE,
    "demo": Environment.LIVE,
    "free": Environment.LIVE,
}
"""Kinds of org by the part of a My Domain before `my`: the org says so itself in `IsSandbox`."""
_PAGES = {
    ".lightning.force.com": ".my.salesforce.com",
    ".my.salesforce-setup.com": ".my.salesforce.com",
    ".file.force.com": ".my.salesforce.com",
    ".my.site.com": ".my.salesforce.com",
    ".builder.salesforce-experience.com": ".my.salesforce.com",
    ".lightning.crmforce.mil": ".my.salesforce.mil",
}
"""Hosts of an org's pages, whose names begin as that of its My Domain."""
_PACKAGE_PAGES = (".vf.force.com",)
"""The same, with the name of a package after the last `--`."""
_OTHER_PAGES = (
    "salesforce.com",
    "force.com",
    "site.com",
    "salesforce-sites.com",
    "salesforce-setup.com",
    "salesforce-experience.com",
    "visualforce.com",
)
_INSTANCE = re.compile(r"[a-z]{2,4}\d+[a-z]?\.salesforce\.com")
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
SALESFORCE_DOMAINS = (
    ".salesforce.com",
    ".force.com",
    ".cloudforce.com",
    ".database.com",
    ".salesforce.mil",
    ".sfcrmproducts.cn",
    ".sfcrmapps.cn",
)
"""Domains that Salesforce alone has names in: its own, Government Cloud, and that of China."""


def host_of(domain: str, environment: Environment) -> str:
    """The host that a `domain` means.

    `acme` is `acme.my.salesforce.com`, a sandbox's `acme--uat` is
    `acme--uat.sandbox.my.salesforce.com`, `acme.develop` a partition's. The host of an org's page,
    such as `acme.lightning.force.com`, or its URL, means the org. Any other name with a dot is a
    host.
    """
    name = re.split(r"[/?#]", domain.strip().lower().removeprefix("https://"), maxsplit=1)[0]
    for ending in _PACKAGE_PAGES:
        if name.endswith(ending):
            label, dot, partition = name.removesuffix(ending).partition(".")
            label = label.rpartition(_SANDBOX_MARK)[0] or label
            return _my_domain(f"{label}{dot}{partition}")
    for ending, own in _PAGES.items():
        if name.endswith(ending):
            return _my_domain(name.removesuffix(ending), own)
    _, dot, partition = name.partition(".")
    if dot and partition not in _PARTITIONS:
        return name
    if environment is Environment.SANDBOX and not dot:
        name += f".{_SANDBOX}"
    return name + _MY_DOMAIN[0]


def is_of_salesforce(host: str) -> bool:
    """Whether a host is in a domain that Salesforce alone has names in."""
    return bool(_HOST.fullmatch(host)) and host.endswith(SALESFORCE_DOMAINS)


def environment_of_host(host: str) -> Environment | None:
    """Which kind of Salesforce org a host belongs to; None where its name does not say."""
    if host in {LIVE_LOGIN_HOST, SANDBOX_LOGIN_HOST}:
        return Environment.LIVE if host == LIVE_LOGIN_HOST else Environment.SANDBOX
    if _SANDBOX_MARK in host:
        return Environment.SANDBOX
    name = _without_ending(host)
    if name is None:
        return None
    _, dot, partition = name.partition(".")
    return _PARTITIONS.get(partition) if dot else Environment.LIVE


def my_domain_name(host: str) -> str | None:
    """The org's own name in a host, `acme` or `acme--uat`; None if it is not a My Domain."""
    name = _without_ending(host)
    return name.partition(".")[0] if name else None


def with_sandbox(domain: str) -> str:
    """The domain that is probably meant by one without a sandbox's name: `acme--uat`."""
    label = domain.strip().lower().removeprefix("https://").partition(".")[0]
    name, hyphen, sandbox = label.rpartition("-")
    return f"{name}{_SANDBOX_MARK}{sandbox}" if hyphen and name else f"{label}{_SANDBOX_MARK}uat"


def names_no_sandbox(host: str) -> bool:
    """Whether it is the host of a sandbox, but of none in particular."""
    return _SANDBOX_MARK not in host and (_without_ending(host) or "").endswith(f".{_SANDBOX}")


def is_other_page(host: str) -> bool:
    """Whether it is a host of Salesforce's that no org signs in at."""
    if host in {LIVE_LOGIN_HOST, SANDBOX_LOGIN_HOST} or _INSTANCE.fullmatch(host):
        return False
    pages = any(host == page or host.endswith(f".{page}") for page in _OTHER_PAGES)
    return pages and _without_ending(host) is None


def _my_domain(name: str, ending: str = _MY_DOMAIN[0]) -> str:
    """The My Domain of a page; before partitions, a sandbox's page had none."""
    if _SANDBOX_MARK in name and "." not in name:
        name += f".{_SANDBOX}"
    return name + ending


def _without_ending(host: str) -> str | None:
    ending = next((each for each in _MY_DOMAIN if host.endswith(each)), None)
    return host.removesuffix(ending) if ending else None
