"""Sizes of files and memory as people read them. Bytes in, words out."""

from __future__ import annotations


def size_words(size_bytes: int) -> str:
    """A size in decimal units: 640 B, 98 MB, 9.1 GB."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    for unit, factor in (("kB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12)):
        value = size_bytes / factor
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
