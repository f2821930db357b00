import pytest

from runner.errors import OrgError
from runner.salesforce.describe import Describes, object_of
from runner.salesforce.described import ColumnError, FieldDescribe
from runner.salesforce.http.messages import OrgResponse, json_body


def field(name, kind="string", **more):
    return {"name": name, "type": kind, "createable": True, "nillable": True, **more}


def described(name, *fields):
    return {"name": name, "label": name, "createable": True, "fields": list(fields)}


def reference(name, relationship, *parents):
    return field(name, "reference", relationshipName=relationship, referenceTo=list(parents))


OBJECTS = {
    "Contact": described(
        "Contact",
        field("Id", "id", idLookup=True),
        field("LastName", nillable=False),
        field("Email", "email", idLookup=True),
        field("ERP_Id__c", externalId=True, idLookup=True, unique=True),
        field("Score__c", "double", precision=18, scale=2),
        reference("AccountId", "Account", "Account"),
    ),
    "Account": described(
        "Account",
        field("Id", "id", idLookup=True),
        field("Name", nillable=False),
        field("Number__c", "double", externalId=True),
        reference("OwnerId", "Owner", "User"),
    ),
    "Lead": described("Lead", field("Email", "email", idLookup=True)),
    "User": described("User", field("Username", idLookup=True), field("Name")),
    "Group": described("Group", field("Name")),
    "Task": described(
        "Task",
        reference("WhoId", "Who", "Contact", "Lead"),
        reference("OwnerId", "Owner", "Group", "User"),
    ),
}


@pytest.fixture
def describes(world):
    def respond(asked):
        parts = asked.path.split("/")
        if asked.path.endswith("/sobjects"):
            return 200, {"sobjects": [{"name": name} for name in OBJECTS]}
        found = OBJECTS.get(parts[5].title())
        refusal = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
        return (200, found) if found else (404, refusal)

    world.org.respond = respond
    return Describes(world.session)


def test_a_describe_is_read():
    contact = object_of(OrgResponse(200, {}, json_body(OBJECTS["Contact"])))
    assert (contact.name, contact.createable) == ("Contact", True)
    assert contact.field("lastname") == FieldDescribe(
        "LastName", "string", createable=True, nillable=False
    )
    assert contact.field("LastName").required
    assert contact.field("ERP_Id__c").identifies
    assert contact.reference("account").name == "AccountId"


def test_each_object_is_asked_for_once(describes, world):
    assert describes.of("Contact") is describes.of("contact")
    assert world.org.paths() == ["GET /services/data/v66.0/sobjects/Contact/describe"]


@pytest.mark.parametrize(
    ("sobject", "column", "name", "meaning"),
    [
        ("Contact", "lastname", "LastName", ("string", None, None)),
        ("Contact", " Score__c ", "Score__c", ("double", None, None)),
        ("Contact", "account.number__C", "Account.Number__c", ("double", "AccountId", "Account")),
        ("Account", "Owner.Username", "Owner.Username", ("string", "OwnerId", "User")),
        ("Account", "User:Owner.Username", "Owner.Username", ("string", "OwnerId", "User")),
        ("Task", "contact:Who.ERP_Id__c", "Contact:Who.ERP_Id__c", ("string", "WhoId", "Contact")),
        ("Task", "Lead:Who.Email", "Lead:Who.Email", ("email", "WhoId", "Lead")),
    ],
)
def test_a_column_means_a_field_or_a_parents_key(describes, sobject, column, name, meaning):
    found = describes.resolve(sobject, column)
    assert (found.name, (found.type, found.lookup, found.parent)) == (name, meaning)


@pytest.mark.parametrize(
    ("sobject", "column", "said", "advice"),
    [
        ("Contact", "LastNme", "no field LastNme", "did you mean `LastName`"),
        ("Contact", "Zzz", "no field Zzz", "API name"),
        ("Contact", "Acount.Number__c", "no relationship Acount", "did you mean `Account`"),
        ("Contact", "Parent.Id", "no relationship Parent", "__r"),
        ("Contact", "Account.Owner.Name", "one step", "Account.ERP_Id__c"),
        ("Contact", "Account.Name", "does not identify", "Number__c"),
        ("Contact", "Account.Nam", "no field Nam", "did you mean `Name`"),
        ("Task", "Who.Email", "several objects", "Contact:Who.Email"),
        ("Task", "User:Who.Email", "does not refer to User", "Contact, Lead"),
        ("Task", "Lead:Who", "is not a column", "one step|Account.ERP_Id__c"),
    ],
)
def test_a_column_that_means_nothing_says_what_comes_near(describes, sobject, column, said, advice):
    with pytest.raises(ColumnError) as caught:
        describes.resolve(sobject, column)
    assert said in caught.value.message
    assert any(word in caught.value.hint for word in advice.split("|"))


@pytest.mark.parametrize(
    ("sobject", "path", "kind"),
    [
        ("Contact", "LastName", "string"),
        ("Contact", "Account.Number__c", "double"),
        ("Task", "Who.Score__c", "double"),
        ("Contact", "Account.Owner.Name", "string"),
        ("Contact", "expr0", None),
        ("Contact", "Nothing.Name", None),
    ],
)
def test_a_path_of_a_query_is_followed_over_parents(describes, sobject, path, kind):
    found = describes.follow(sobject, path)
    assert (found.type if found else None) == kind


def test_an_unknown_object_says_what_comes_near(describes):
    with pytest.raises(OrgError) as caught:
        describes.of("Contakt")
    assert (caught.value.status, caught.value.code) == (404, "NOT_FOUND")
    assert "Contact" in caught.value.hint
