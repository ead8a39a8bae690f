"""Comparing what the cache holds with the next prompt: how much both begin with, and what is missing further on.

Pure: lists of tokens, no memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import islice

_LEAST = 12  # tokens that must come again behind the gap: fewer may be chance, and are soon read
_TRIES = 64  # places where they may come again, in text that repeats itself


def common_prefix(first: list[int], second: list[int]) -> int:
    """How many tokens both begin with."""
    limit = min(len(first), len(second))
    if first[:limit] == second[:limit]:  # the usual case, compared in C
        return limit
    low, high = 0, limit  # the first `low` are equal, the first `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low


def find_gap(held: list[int], prompt: list[int]) -> tuple[int, int]:
    """The stretch of `held` that `prompt` lacks while it goes on with what follows; (n, n) where there is none."""
    start = common_prefix(held, prompt)
    wanted = prompt[start : start + _LEAST]
    if start == len(held) or len(wanted) < _LEAST:
        return start, start
    best, end = 0, start
    for place in islice(_places(held, wanted, start + 1), _TRIES):
        length = common_prefix(held[place:], prompt[start:])
        if length > best:
            best, end = length, place
        if place + length == len(held):
            break
    return start, end


def _places(held: list[int], wanted: list[int], start: int) -> Iterator[int]:
    """Where in `held` a run of tokens occurs, from `start` on."""
    text, needle = array("i", held).tobytes(), array("i", wanted).tobytes()
    at = text.find(needle, 4 * start)
    while at >= 0:
        if at % 4 == 0:
            yield at // 4
        at = text.find(needle, at + 1)
