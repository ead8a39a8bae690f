"""Which bytes of a file are there: disjoint half-open spans in order. Pure, not locked."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

Span = tuple[int, int]


class Spans:
    """A growing set of bytes, kept as few spans."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in spans:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Adds the bytes from `start` to before `end`, joining what touches."""
        if start >= end:
            return
        first = bisect.bisect_left(self._ends, start)  # the first span that ends at or after the start
        last = bisect.bisect_right(self._starts, end)  # behind the last span that starts at or before the end
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def clear(self) -> None:
        """Forgets everything."""
        self._starts.clear()
        self._ends.clear()

    def all(self) -> list[Span]:
        """The spans, from the first byte to the last."""
        return list(zip(self._starts, self._ends, strict=True))

    def missing(self, size: int) -> list[Span]:
        """What is not there of a file of `size` bytes."""
        edges = [0, *(edge for span in self.all() for edge in span), size]
        return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]

    @property
    def total(self) -> int:
        """How many bytes are there."""
        return sum(self._ends) - sum(self._starts)

    @property
    def prefix(self) -> int:
        """How many bytes are there from the first one on without a gap."""
        return self._ends[0] if self._starts and self._starts[0] == 0 else 0


def plausible(spans: Iterable[Span], size: int) -> list[Span]:
    """Spans that somebody wrote down, cut to a file of `size` bytes; what makes no sense is left out."""
    return [(start, min(end, size)) for start, end in spans if 0 <= start < min(end, size)]
