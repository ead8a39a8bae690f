"""A packed answer, unpacked while it streams and only up to a limit: a few kilobytes can hold gigabytes of zeros."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from app.privacy.errors import AnswerTooLarge, AnswerUnusable

_PIECE_BYTES = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Unpacked:
    """One gzip stream. `limit` is in bytes after unpacking, None is no limit."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit
        self._engine = zlib.decompressobj(_GZIP)

    def feed(self, chunk: bytes, host: str) -> Iterator[bytes]:
        """What `chunk` holds, in pieces. Raises AnswerTooLarge and AnswerUnusable."""
        rest = chunk
        while rest and not self._engine.eof:
            try:
                piece = self._engine.decompress(rest, _PIECE_BYTES)
            except zlib.error as error:
                raise AnswerUnusable(f"The answer of {host} is damaged.", detail=str(error), host=host) from error
            rest = self._engine.unconsumed_tail
            if self._left is not None:
                self._left -= len(piece)
                if self._left < 0:
                    raise AnswerTooLarge(f"{host} sent more than anything that was asked for can be.", host=host)
            if piece:
                yield piece

    def finish(self, host: str) -> None:
        """Raises AnswerUnusable when the stream stops in the middle."""
        if not self._engine.eof:
            raise AnswerUnusable(f"The answer of {host} is not whole.", host=host)
