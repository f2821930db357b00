"""Which org a `domain` means, in every form in which people have it before them."""

import pytest

from runner.job.model import Environment
from runner.job.my_domain import (
    environment_of_host,
    host_of,
    is_of_salesforce,
    is_other_page,
    with_sandbox,
)

LIVE, SANDBOX = Environment.LIVE, Environment.SANDBOX


@pytest.mark.parametrize(
    ("domain", "host", "environment"),
    [
        ("acme", "acme.my.salesforce.com", LIVE),
        ("acme.lightning.force.com", "acme.my.salesforce.com", LIVE),
        ("https://acme.lightning.force.com/lightning/page/home", "acme.my.salesforce.com", LIVE),
        ("acme.my.salesforce-setup.com", "acme.my.salesforce.com", LIVE),
        ("https://acme.my.salesforce-setup.com/lightning/setup/x", "acme.my.salesforce.com", LIVE),
        ("acme--c.vf.force.com", "acme.my.salesforce.com", LIVE),
        ("acme.file.force.com", "acme.my.salesforce.com", LIVE),
        ("acme.my.site.com", "acme.my.salesforce.com", LIVE),
        ("acme.lightning.crmforce.mil", "acme.my.salesforce.mil", LIVE),
        ("acme-dev-ed.develop.lightning.force.com", "acme-dev-ed.develop.my.salesforce.com", LIVE),
        ("acme-dev-ed.develop", "acme-dev-ed.develop.my.salesforce.com", LIVE),
        ("fox.trailblaze.lightning.force.com", "fox.trailblaze.my.salesforce.com", LIVE),
        ("acme--uat", "acme--uat.sandbox.my.salesforce.com", SANDBOX),
        ("acme--uat.lightning.force.com", "acme--uat.sandbox.my.salesforce.com", SANDBOX),
        ("acme--uat.sandbox.lightning.force.com", "acme--uat.sandbox.my.salesforce.com", SANDBOX),
        (
            "acme--uat.sandbox.my.salesforce-setup.com",
            "acme--uat.sandbox.my.salesforce.com",
            SANDBOX,
        ),
        ("acme--uat--c.sandbox.vf.force.com", "acme--uat.sandbox.my.salesforce.com", SANDBOX),
        ("acme--dev.develop.my.salesforce.com", "acme--dev.develop.my.salesforce.com", SANDBOX),
        ("acme--uat.my.salesforce.com", "acme--uat.my.salesforce.com", SANDBOX),
        ("fox.scratch.lightning.force.com", "fox.scratch.my.salesforce.com", SANDBOX),
        ("fox.scratch", "fox.scratch.my.salesforce.com", SANDBOX),
        ("acme.my.sfcrmproducts.cn", "acme.my.sfcrmproducts.cn", LIVE),
        ("acme--uat.sandbox.my.salesforce.mil", "acme--uat.sandbox.my.salesforce.mil", SANDBOX),
        ("acme.patch.my.salesforce.com", "acme.patch.my.salesforce.com", None),
        ("acme.database.com", "acme.database.com", None),
    ],
)
def test_every_form_of_a_domain_means_one_host(domain, host, environment):
    assert is_of_salesforce(host)
    assert host_of(domain, environment or LIVE) == host
    assert environment_of_host(host) is environment
    assert not is_other_page(host)


@pytest.mark.parametrize(
    "domain",
    ["acme.com", "acme.de", "login.acme.com", "x.salesforce.com.evil.com", "evil-salesforce.com"],
)
def test_a_host_outside_of_salesforces_domains_is_known(domain):
    assert host_of(domain, LIVE) == host_of(domain, SANDBOX) == domain
    assert not is_of_salesforce(domain)


@pytest.mark.parametrize(
    ("domain", "meant"),
    [("acme", "acme--uat"), ("acme-uat", "acme--uat"), ("acme-uat.sandbox", "acme--uat")],
)
def test_what_a_domain_without_a_sandbox_probably_means(domain, meant):
    assert with_sandbox(domain) == meant


@pytest.mark.parametrize(
    "host", ["acme.force.com", "acme.secure.force.com", "acme.salesforce.com", "www.salesforce.com"]
)
def test_a_page_that_is_no_orgs_is_known(host):
    assert is_other_page(host)


@pytest.mark.parametrize(
    "host",
    ["login.salesforce.com", "test.salesforce.com", "na139.salesforce.com", "cs42.salesforce.com"],
)
def test_hosts_without_my_domain_are_not_pages(host):
    assert not is_other_page(host)
