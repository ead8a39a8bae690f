"""Sizes in words."""

from __future__ import annotations

from app.base.sizes import size_words


def test_sizes() -> None:
    assert [size_words(n) for n in (0, 999, 1000, 98_362_432, 999_600_000, 9_140_000_000, 5 * 10**15)] == [
        "0 B", "999 B", "1.0 kB", "98 MB", "1.0 GB", "9.1 GB", "5000 TB",
    ]  # fmt: skip
