"""The documents that the versions of files belong to.

A new ContentVersion is the first version of a new ContentDocument, linked to its owner and to the
record of FirstPublishLocationId; or, with a ContentDocumentId, the next version of that one.
Source: Object Reference, ContentVersion, ContentDocument, ContentDocumentLink. Knows no requests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from runner.local_org.catalog.model import Catalog
from runner.local_org.records.creation import Creation
from runner.local_org.records.row_reading import RowDraft
from runner.local_org.records.stored import Stored
from runner.local_org.store import quoted

VERSION, DOCUMENT, LINK = "ContentVersion", "ContentDocument", "ContentDocumentLink"
_SHARED = ("Title", "Description", "FileType", "FileExtension", "ContentSize")
"""Fields that a document has from its latest version."""


class Documents:
    """The documents of the new versions in one call."""

    def __init__(self, catalog: Catalog, conn: sqlite3.Connection, user_id: str) -> None:
        self._conn = conn
        self._user_id = user_id
        document, link = catalog.sobject(DOCUMENT), catalog.sobject(LINK)
        if document is None or link is None:
            raise LookupError("the catalog has no documents")
        self._creation = Creation(document, user_id)
        self._linking = Creation(link, user_id)
        self._new: dict[int, RowDraft] = {}
        """Documents to create, by the place of their version."""

    def number(self, drafts: Sequence[RowDraft], now: datetime) -> None:
        """Give each version its document and its number."""
        latest: dict[str, int] = {}
        new = [draft for draft in drafts if draft.values.get("ContentDocumentId") is None]
        self._new = {draft.place: RowDraft(draft.place) for draft in new}
        self._creation.complete(self._conn, list(self._new.values()), now)
        for draft in drafts:
            values = draft.values
            if draft.place in self._new:
                values["ContentDocumentId"] = self._new[draft.place].id
            document = str(values["ContentDocumentId"])
            latest[document] = latest.get(document, self._versions(document)) + 1
            values["VersionNumber"] = str(latest[document])
            values["IsLatest"] = 1

    def publish(self, versions: Sequence[RowDraft], now: datetime) -> None:
        """Create or update the documents of versions that were stored."""
        created = [self._new[each.place] for each in versions if each.place in self._new]
        links = [link for each in versions if each.place in self._new for link in _links(each)]
        if created:
            self._creation.insert(self._conn, created)
        self._linking.complete(self._conn, links, now)
        if links:
            self._linking.insert(self._conn, links)
        for each in versions:
            self._conn.execute(
                f"UPDATE {VERSION} SET IsLatest = 0 WHERE ContentDocumentId = ? AND Id <> ?",  # noqa: S608 - a table's name
                (each.values["ContentDocumentId"], each.id),
            )
            self._update_document(each)

    def _versions(self, document: str) -> int:
        asked = f"SELECT count(*) FROM {VERSION} WHERE ContentDocumentId = ?"  # noqa: S608 - a table's name
        return int(self._conn.execute(asked, (document,)).fetchone()[0])

    def _update_document(self, version: RowDraft) -> None:
        values: dict[str, Stored] = {name: version.values.get(name) for name in _SHARED}
        values["LatestPublishedVersionId"] = version.id
        for name in ("ContentModifiedDate", "LastModifiedDate", "SystemModstamp"):
            values[name] = version.values["CreatedDate"]
        setting = ", ".join(f"{quoted(name)} = ?" for name in values)
        self._conn.execute(
            f"UPDATE {DOCUMENT} SET {setting} WHERE Id = ?",  # noqa: S608 - names of the catalog
            (*values.values(), version.values["ContentDocumentId"]),
        )


def _links(version: RowDraft) -> list[RowDraft]:
    """The owner may do everything with a new document; where it is published, it may be viewed."""
    values = version.values
    places = {values.get("OwnerId"): "I", values.get("FirstPublishLocationId"): "V"}
    return [
        RowDraft(
            version.place,
            {
                "ContentDocumentId": values["ContentDocumentId"],
                "LinkedEntityId": place,
                "ShareType": share,
                "Visibility": "AllUsers",
            },
        )
        for place, share in places.items()
        if place is not None
    ]
