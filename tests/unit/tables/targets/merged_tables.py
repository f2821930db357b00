"""What tests of merged tables share: columns of queries, and the variable of the URL."""

from runner.tables.field_types import FieldKind
from runner.tables.targets.rest_rows import QueryColumn

KINDS = {
    "Id": QueryColumn("Id", FieldKind.ID),
    "Name": QueryColumn("Name", FieldKind.TEXT),
    "Amount": QueryColumn("Amount", FieldKind.NUMBER, 4, 2),
    "N": QueryColumn("N", FieldKind.INTEGER),
    "Day": QueryColumn("Day", FieldKind.DATE),
    "At": QueryColumn("At", FieldKind.DATETIME),
    "IsDeleted": QueryColumn("IsDeleted", FieldKind.BOOLEAN),
}
URL = "A_DATABASE"
