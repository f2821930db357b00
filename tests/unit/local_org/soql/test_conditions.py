"""What a WHERE finds."""

from __future__ import annotations

import pytest

from runner.local_org.ids import make_id

ACME = make_id("001", 1)


@pytest.fixture
def widgets(world):
    world.add("Account", Name="Acme", Industry="Retail")
    world.add("Account", Name="Bolt")
    rows = {
        "one": {
            "Account__c": ACME,
            "Colours__c": "Red;Blue",
            "Price__c": 10.5,
            "Count__c": 1,
            "Due__c": "2024-01-31",
            "At__c": "10:30:00.000Z",
            "Done__c": 1,
            "Ext__c": "AbC",
            "Exact__c": "Case",
            "Stage__c": "a",
        },
        "two": {
            "Account__c": make_id("001", 2),
            "Colours__c": "Red",
            "Price__c": -3.0,
            "Ext__c": "É1",
            "Stage__c": "b",
        },
        "THREE": {},
    }
    for name, values in rows.items():
        world.add("Widget__c", Name=name, **({"Done__c": 0} | values))
    return world


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Name = 'ONE'", ["one"]),
        ("nAmE = 'three'", ["THREE"]),
        ("Name != 'one'", ["THREE", "two"]),
        ("Name <> 'one'", ["THREE", "two"]),
        ("Name > 'one'", ["THREE", "two"]),
        ("Name >= 'ONE' AND Name < 'TWO'", ["THREE", "one"]),
        ("Stage__c != 'a'", ["THREE", "two"]),
        ("NOT Stage__c = 'a'", ["THREE", "two"]),
        ("NOT (Stage__c = 'a' OR Stage__c = 'b')", ["THREE"]),
        ("Stage__c = null", ["THREE"]),
        ("Stage__c = ''", ["THREE"]),
        ("Stage__c != null", ["one", "two"]),
        ("Stage__c < null", []),
        ("Stage__c IN ('A', null)", ["THREE", "one"]),
        ("Stage__c NOT IN ('a')", ["THREE", "two"]),
        ("Stage__c NOT IN ('a', null)", ["two"]),
        ("Name LIKE 'T%'", ["THREE", "two"]),
        ("Name LIKE 't_o'", ["two"]),
        ("NOT Name LIKE 't%'", ["one"]),
        ("Stage__c LIKE '%'", ["one", "two"]),
        ("Price__c = 10.5", ["one"]),
        ("Price__c < 0", ["two"]),
        ("Price__c >= -3", ["one", "two"]),
        ("Price__c > USD5", ["one"]),
        ("Price__c != 10.5", ["THREE", "two"]),
        ("Price__c = 10.50", ["one"]),
        ("Count__c IN (1, 2)", ["one"]),
        ("Due__c = 2024-01-31", ["one"]),
        ("Due__c > 2024-01-30", ["one"]),
        ("At__c < 11:00:00Z", ["one"]),
        ("Done__c = true", ["one"]),
        ("Done__c = FALSE", ["THREE", "two"]),
        ("Done__c = null", ["THREE", "two"]),
        ("Done__c != null", ["one"]),
        ("Ext__c = 'abc'", ["one"]),
        ("Ext__c = 'é1'", ["two"]),
        ("Ext__c IN ('ABC', 'é1')", ["one", "two"]),
        ("Ext__c LIKE 'é%'", ["two"]),
        ("Exact__c = 'case'", []),
        ("Exact__c = 'Case'", ["one"]),
        ("Colours__c = 'red;blue'", ["one"]),
        ("Colours__c INCLUDES ('red')", ["one", "two"]),
        ("Colours__c INCLUDES ('Blue;Red')", ["one"]),
        ("Colours__c INCLUDES ('Blue;Green', 'Red')", ["one", "two"]),
        ("Colours__c INCLUDES ('Re')", []),
        ("Colours__c EXCLUDES ('Blue')", ["THREE", "two"]),
        (f"Id = '{make_id('a00', 1)}'", ["one"]),
        (f"Id IN ('{make_id('a00', 1)[:15]}')", ["one"]),
        ("Account__r.Name = 'acme'", ["one"]),
        ("Account__r.Industry = null", ["THREE", "two"]),
        ("Account__r.Industry != 'Retail'", ["THREE", "two"]),
        ("Account__r.IsDeleted = false", ["THREE", "one", "two"]),
        ("Widget__c.Name = 'one'", ["one"]),
        ("(Name = 'one' OR Name = 'two') AND Done__c = true", ["one"]),
        ("CALENDAR_YEAR(Due__c) = 2024", ["one"]),
        ("DAY_ONLY(CreatedDate) = 2024-05-01", ["THREE", "one", "two"]),
        ("HOUR_IN_DAY(CreatedDate) = 8", ["THREE", "one", "two"]),
        ("toLabel(Stage__c) = 'stage a'", ["one"]),
    ],
)
def test_operators_and_null_logic(widgets, condition, found):
    assert widgets.names(condition) == found


def test_semi_joins_and_anti_joins_look_for_ids_elsewhere(widgets):
    inner = "SELECT Account__c FROM Widget__c WHERE Done__c = true"
    assert widgets.names(f"Id IN ({inner})", "Account") == ["Acme"]
    assert widgets.names(f"Id NOT IN ({inner})", "Account") == ["Bolt"]
    banks = "SELECT Id FROM Account WHERE Industry = 'retail'"
    assert widgets.names(f"Account__c IN ({banks})") == ["one"]
    assert widgets.names(f"Account__c NOT IN ({banks}) AND Account__c != null") == ["two"]


def test_like_takes_escaped_wildcards_for_themselves(world):
    for name in ("50%", "50 percent", "a_b", "axb", "back\\slash"):
        world.add("Widget__c", Name=name)
    assert world.names(r"Name LIKE '50\%'") == ["50%"]
    assert world.names(r"Name LIKE 'a\_b'") == ["a_b"]
    assert world.names(r"Name LIKE 'back\\%'") == ["back\\slash"]
    assert world.refusal(r"SELECT Id FROM Widget__c WHERE Name = '50\%'")[0] == "MALFORMED_QUERY"


def test_datetimes_compare_as_moments_whatever_their_zone(world):
    world.add("Widget__c", Name="at eight")  # 2024-05-01T08:00:00Z
    assert world.names("CreatedDate = 2024-05-01T10:00:00+02:00") == ["at eight"]
    assert world.names("CreatedDate > 2024-05-01T08:00:00.001Z") == []
    assert world.names("CreatedDate >= 2024-05-01T08:00:00Z") == ["at eight"]


def test_date_literals_are_days_of_the_users_zone(world, in_paris):
    world.add("Widget__c", Name="evening", CreatedDate="2024-05-14T22:30:00.000Z")
    assert world.names("CreatedDate = YESTERDAY") == ["evening"]
    assert world.names("CreatedDate = TODAY", user=in_paris) == ["evening"]
    assert world.names("CreatedDate IN (TODAY, YESTERDAY)") == ["evening"]
    assert world.names("CreatedDate < TODAY") == ["evening"]
    assert world.names("CreatedDate >= TODAY") == []
    assert world.names("CreatedDate != TODAY") == ["evening"]
    zoned = "DAY_ONLY(convertTimezone(CreatedDate)) = 2024-05-15"
    assert world.names(zoned, user=in_paris) == ["evening"]
    assert world.names(zoned) == []


def test_last_n_days_ends_now_for_datetimes_and_today_for_dates(world):
    world.add("Widget__c", Name="just now", CreatedDate="2024-05-15T10:30:00.500Z")
    world.add("Widget__c", Name="later", CreatedDate="2024-05-15T11:00:00.000Z")
    world.add("Widget__c", Name="due", Due__c="2024-05-15", CreatedDate="2000-01-01T00:00:00.000Z")
    assert world.names("CreatedDate = LAST_N_DAYS:1") == ["just now"]
    assert world.names("Due__c = LAST_N_DAYS:1") == ["due"]


def test_deleted_records_show_in_query_all_only(world):
    world.add("Widget__c", Name="here")
    world.add("Widget__c", Name="binned", IsDeleted=1)
    assert world.names("Name != null") == ["here"]
    assert world.names("IsDeleted = true") == []
    assert world.names("IsDeleted = true", all_rows=True) == ["binned"]


def test_scope_mine_keeps_what_the_user_owns(world):
    world.add("Widget__c", Name="mine")
    world.add("Widget__c", Name="other", OwnerId=make_id("005", 2))
    assert world.values("SELECT Name FROM Widget__c USING SCOPE Mine") == ["mine"]
    assert len(world.query("SELECT Name FROM Widget__c USING SCOPE everything")) == 2


def test_clauses_that_change_nothing_here_are_taken(world):
    world.add("Account", Name="Acme")
    for tail in (
        "WITH SECURITY_ENFORCED",
        "WITH USER_MODE",
        "WITH DATA CATEGORY Geography__c ABOVE usa__c AND Product__c AT (a__c, b__c)",
        "WITH RecordVisibilityContext (maxDescriptorPerRecord=100, supportsDomains=true)",
        "FOR VIEW",
        "FOR REFERENCE",
        "FOR UPDATE",
        "LIMIT 5 UPDATE TRACKING",
        "UPDATE VIEWSTAT",
    ):
        assert world.values(f"SELECT Name FROM Account {tail}") == ["Acme"]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Ext__c > ''", ["set"]),
        ("Ext__c >= ''", ["set"]),
        ("Ext__c < ''", []),
        ("Ext__c <= ''", []),
        ("Ext__c = ''", ["unset"]),
        ("Ext__c != ''", ["set"]),
        ("Id > ''", ["set", "unset"]),
        ("Ext__c > null", []),
    ],
)
def test_every_text_comes_after_the_empty_one(world, condition, found):
    world.add("Widget__c", Name="set", Ext__c="x")
    world.add("Widget__c", Name="unset")
    assert world.names(condition) == found
