"""Reads a body with a file in it, piece by piece, as it is sent.

Knows that the end of a body must not be sent if the file is not what it should be: without it, the
org has no whole request. Knows nothing of HTTP or of what the body means.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import FileChangedError
from runner.salesforce.http.messages import FileBody

_PIECE_BYTES = 256 * 1024


class FileUpload:
    """One try to send a body.

    Attributes:
        body: What is sent.
        is_complete: Whether all of it was given out; before that, the org can act on nothing.
    """

    def __init__(self, body: FileBody) -> None:
        self.body = body
        self.is_complete = False

    def pieces(self) -> Iterator[bytes]:
        """The body.

        Raises:
            FileChangedError: The file is not what it was; the end of the body was not given out.
        """
        import hashlib  # noqa: PLC0415 - not every start needs it

        body = self.body
        yield body.before
        digest = hashlib.md5(usedforsecurity=False)
        left = body.size
        try:
            with body.file.open("rb") as stream:
                while piece := stream.read(_PIECE_BYTES):
                    left -= len(piece)
                    if left < 0:
                        break  # more than was announced
                    digest.update(piece)
                    yield piece
        except OSError as error:
            raise FileChangedError(f"{body.file} cannot be read: {error.strerror}.") from error
        if left or digest.hexdigest() != body.md5:
            raise FileChangedError(f"{body.file} has changed since the rows were read.")
        self.is_complete = True
        yield body.after
