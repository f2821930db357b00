"""django-salesforce: Django's own models on the local org, over REST, as another database."""

from datetime import UTC, date, datetime
from decimal import Decimal

import django
import pytest
from django.conf import settings
from django.db.models import Count, Max
from requests.adapters import HTTPAdapter

HOST = {"ENGINE": "salesforce.backend", "AUTH": "salesforce.auth.DynamicAuth"}
settings.configure(
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
        "salesforce": HOST,
    },
    DATABASE_ROUTERS=["salesforce.router.ModelRouter"],
    USE_TZ=True,
    TIME_ZONE="UTC",
)
django.setup()

from django.db import connections  # noqa: E402 - needs the settings
from salesforce import models  # noqa: E402
from salesforce.auth import RefreshTokenAuth, oauth_data  # noqa: E402
from salesforce.dbapi.common import get_thread_connections  # noqa: E402
from salesforce.dbapi.exceptions import SalesforceError  # noqa: E402


class Account(models.SalesforceModel):
    name = models.CharField(max_length=255)
    score = models.DecimalField(custom=True, max_digits=18, decimal_places=2, null=True)
    active = models.BooleanField(custom=True, default=False)
    since = models.DateField(custom=True, null=True)
    checked = models.DateTimeField(custom=True, null=True)

    class Meta(models.Model.Meta):
        app_label = "crm"
        db_table = "Account"


class Contact(models.SalesforceModel):
    last_name = models.CharField(max_length=80)
    first_name = models.CharField(max_length=40, null=True)
    name = models.CharField(max_length=121, sf_read_only=models.READ_ONLY)
    account = models.ForeignKey(Account, on_delete=models.DO_NOTHING, null=True)
    created_date = models.DateTimeField(sf_read_only=models.READ_ONLY)

    class Meta(models.Model.Meta):
        app_label = "crm"
        db_table = "Contact"


class ToLoopback(HTTPAdapter):
    """Takes it to the org: it knows no address but https."""

    def send(self, request, *args, **options):
        request.url = request.url.replace("https:", "http:", 1)
        return super().send(request, *args, **options)


@pytest.fixture(autouse=True)
def _signed_in(org):
    connection = connections["salesforce"]
    connection.connect()
    raw = connection.connection
    raw.sf_auth.dynamic_start(org.token, org.url.replace("http:", "https:"))
    raw.sf_session.mount("https://", ToLoopback())
    yield
    connection.close()
    connection.connection = None
    get_thread_connections().clear()


def test_values_of_every_type_are_saved_and_read(org, tag):
    moment = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
    values = {"score": Decimal("12.50"), "since": date(2026, 1, 31), "checked": moment}
    made = Account.objects.create(name=tag, active=True, **values)
    found = Account.objects.get(pk=made.pk)
    assert {name: getattr(found, name) for name in values} == values
    assert found.active
    found.score, found.active = None, False
    found.save()
    (held,) = org.rows(f"SELECT Score__c, Active__c FROM Account WHERE Id = '{made.pk}'")
    assert held == {"Score__c": None, "Active__c": False}
    found.delete()
    assert not Account.objects.filter(name=tag)


def test_querysets_filter_order_slice_group_and_reach_parents(org, tag):
    account = Account.objects.create(name=f"{tag} O'Neil \\ 100%")
    names = [f"{tag} {letter}" for letter in "abc"]
    contacts = [Contact(last_name=name, account=account) for name in names]
    Contact.objects.bulk_create(contacts)
    of_account = Contact.objects.filter(account__name=account.name)
    assert [each.last_name for each in of_account.order_by("last_name")[:2]] == names[:2]
    assert of_account.filter(last_name__endswith="c").get().account.name == account.name
    assert of_account.exclude(last_name__in=names[:2]).count() == 1
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert of_account.filter(first_name=None, created_date__gt=since).exists()
    grouped = Contact.objects.filter(account=account).order_by().values("account_id")
    told = grouped.annotate(count=Count("id"), latest=Max("last_name"))
    assert [(each["count"], each["latest"]) for each in told] == [(3, names[2])]


def test_many_records_are_created_updated_and_deleted_in_one_request(org, tag):
    Contact.objects.bulk_create([Contact(last_name=f"{tag} {n}") for n in range(5)])
    mine = Contact.objects.filter(last_name__startswith=tag)
    assert mine.update(first_name="Ann") == 5
    assert {each.name for each in mine} == {f"Ann {tag} {n}" for n in range(5)}
    mine.filter(last_name__endswith="4").delete()
    assert mine.all().count() == 4
    mine.delete()
    assert org.rows(f"SELECT Id FROM Contact WHERE LastName LIKE '{tag}%'") == []
    assert Contact.objects.query_all().filter(last_name__startswith=tag).count() == 5


def test_long_results_come_in_pages(org, tag):
    org.create_many("Contact", [{"LastName": f"{n:04}", "FirstName": tag} for n in range(2001)])
    found = Contact.objects.filter(first_name=tag).order_by("last_name")
    assert [each.last_name for each in found] == [f"{n:04}" for n in range(2001)]


def test_what_the_org_refuses_is_raised_with_its_code(tag):
    with pytest.raises(SalesforceError, match="STRING_TOO_LONG"):
        Contact.objects.create(last_name="x" * 81)
    contacts = [Contact(last_name=tag), Contact(last_name="x" * 81)]
    with pytest.raises(SalesforceError, match="rollback/cancel=1, success=0"):
        Contact.objects.sf(all_or_none=True).bulk_create(contacts)
    assert not Contact.objects.filter(last_name=tag)


def test_raw_soql_and_what_the_org_tells_of_itself(org, tag):
    Contact.objects.create(last_name=tag)
    with connections["salesforce"].cursor() as cursor:
        cursor.execute("SELECT LastName, Account.Name FROM Contact WHERE LastName = %s", [tag])
        assert cursor.fetchall() == [(tag, None)]
        assert "62.0" in {each["version"] for each in cursor.cursor.versions_request()}
    assert connections["salesforce"].introspection.get_table_list(None)


def test_a_refresh_token_signs_in_and_the_answer_is_signed_with_the_secret(org, refresh_token):
    settings_of_it = {
        "HOST": org.url,
        "USER": "admin@local.example",
        "CONSUMER_KEY": "3MVG9django",
        "CONSUMER_SECRET": "any",
        "REFRESH_TOKEN": refresh_token("3MVG9django"),
    }
    try:
        told = RefreshTokenAuth("other", settings_of_it).get_auth()
    finally:
        oauth_data.clear()
    assert told["instance_url"] == org.url
