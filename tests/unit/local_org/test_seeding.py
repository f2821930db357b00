import csv

import pytest

from runner.local_org.app import open_org
from runner.local_org.seeding import SeedError, load_seeds

FIELDS = {"Ext__c": {"type": "text", "external_id": True}}


@pytest.fixture
def sown(tmp_path):
    """Sows seeds given as text: `sown(Account="Name\\nA\\n")`, in an org that stays the same."""
    opened = []

    def start(**seeds):
        for name, text in seeds.items():
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        declared = {
            "version": 1,
            "objects": {"Account": {"fields": FIELDS}},
            "seed": {name: f"{name}.csv" for name in seeds},
        }
        opened.append(open_org(tmp_path / "org", declared, org_file=tmp_path / "org.yaml"))
        return opened[-1], load_seeds(opened[-1]).records

    yield start
    for org in opened:
        org.store.close()


def _count(org, sobject):
    with org.store.reading() as conn:
        return conn.execute(f'SELECT COUNT(*) FROM "{sobject}"').fetchone()[0]


def test_seeds_are_sown_in_their_order_once(sown):
    seeds = {
        "Account": "\ufeffName,Ext__c\nAcme,a1\n",
        "Contact": "LastName,Account.Ext__c\nAda,A1\n",
    }
    limit = csv.field_size_limit()
    csv.field_size_limit(limit - 1)
    org, count = sown(**seeds)
    assert csv.field_size_limit(limit) == limit - 1  # rows that are read meanwhile may need it
    assert (count, _count(org, "Account"), _count(org, "Contact")) == (2, 1, 1)
    again, count = sown(**seeds)
    assert (count, _count(again, "Account")) == (0, 1)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("Nope\nx\n", 1, "Account has no field 'Nope'"),
        ("Name,Name\nx,y\n", 1, "appears twice"),
        ("Name,Site\nA,b\nB\n", 3, "expected 2 cells, found 1"),
        ('Name\nA\n"two\nlines"\n' + "B" * 300 + "\n", 5, "STRING_TOO_LONG"),
        ('Name\n"A\n', 1, "not a CSV file"),
    ],
)
def test_a_seed_that_cannot_grow_is_told_by_line_and_leaves_nothing(sown, text, line, said):
    with pytest.raises(SeedError) as caught:
        sown(Account=text)
    assert (caught.value.line, said in caught.value.message) == (line, True)
    org, count = sown(Account="Name\nA\n")
    assert (count, _count(org, "Account")) == (1, 1)


def test_a_missing_file_is_told(tmp_path):
    org = open_org(
        tmp_path / "org",
        {"version": 1, "seed": {"Account": "nope.csv"}},
        org_file=tmp_path / "org.yaml",
    )
    with pytest.raises(SeedError, match=r"nope\.csv"):
        load_seeds(org)
    org.store.close()


def test_declared_users_need_a_name_and_a_username_alone(sown):
    org, count = sown(
        User="Username,LastName,timezonesidkey,Profile.Name\n"
        "ada@x.example,Ada,Europe/London,\n"
        "bob@x.example,Bob,,System Administrator\n",
        Account="Name,Owner.Username\nAcme,bob@x.example\n",
    )
    assert count == 3
    with org.store.reading() as conn:
        users = conn.execute(
            "SELECT u.Username, u.Name, TimeZoneSidKey, LocaleSidKey, Email, Alias, p.Name"
            ' FROM "User" u JOIN Profile p ON p.Id = u.ProfileId ORDER BY u.Id'
        ).fetchall()
        owner = conn.execute(
            'SELECT u.Alias FROM Account a JOIN "User" u ON u.Id = a.OwnerId'
        ).fetchone()
    admin, ada, bob = users
    assert admin[0] == "admin@local.example"
    profile = "System Administrator"
    assert ada[1:] == ("Ada", "Europe/London", "en_US", "ada@x.example", "ada", profile)
    assert bob[1:] == ("Bob", "GMT", "en_US", "bob@x.example", "bob", profile)
    assert owner == ("bob",)


def test_a_seed_that_is_added_later_is_loaded_and_a_changed_one_is_reported(sown, tmp_path):
    sown(Account="Name\nAcme\n")
    org, count = sown(Account="Name\nAcme\n", Contact="LastName\nAda\n")
    assert (count, _count(org, "Account"), _count(org, "Contact")) == (1, 1, 1)
    org, count = sown(Account="Name\nGlobex\n", Contact="LastName\nAda\n")
    assert (count, _count(org, "Account")) == (0, 1)
    assert load_seeds(org).changed == ("Account.csv",)
