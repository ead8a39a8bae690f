"""The heights of all messages as a Fenwick tree: tops and hits in logarithmic time. Only integers, no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


class Heights:
    """Integer heights of rows, with prefix sums that follow each change."""

    def __init__(self, heights: Sequence[int] = ()) -> None:
        self._heights = list(heights)
        n = len(self._heights)
        tops = [0, *accumulate(self._heights)]
        self._tree = [top - tops[i & (i - 1)] for i, top in enumerate(tops)]  # each the sum of the i & -i rows before
        self._top_bit = 1 << n.bit_length() >> 1
        self.total = tops[-1]

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, index: int) -> int:
        return self._heights[index]

    def set(self, index: int, height: int) -> int:
        """Gives a row another height; returns by how much it grew."""
        grown = height - self._heights[index]
        if grown:
            self._heights[index] = height
            self.total += grown
            i = index + 1
            tree, n = self._tree, len(self._heights)
            while i <= n:
                tree[i] += grown
                i += i & -i
        return grown

    def top(self, index: int) -> int:
        """The sum of the heights before row `index`."""
        total, i, tree = 0, index, self._tree
        while i > 0:
            total += tree[i]
            i -= i & -i
        return total

    def find(self, y: int) -> int:
        """The row that covers `y`; the first or last one when y lies outside. -1 when there are no rows."""
        n = len(self._heights)
        if not n:
            return -1
        position, bit, tree = 0, self._top_bit, self._tree
        while bit:
            following = position + bit
            if following <= n and tree[following] <= y:
                position = following
                y -= tree[following]
            bit >>= 1
        return min(position, n - 1)
