"""What a person sees of the figures (a table) and what a program reads (build/bench.json)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

HEAD = ("name", "value", "target", "met", "unit", "note")
MARKS = {True: "yes", False: "NO", None: ""}


def row(figure: Figure) -> tuple[str, ...]:
    """The cells of one figure, in the order of HEAD."""
    target = ""
    if figure.at_least is not None:
        target = f">= {figure.at_least:g}"
    elif figure.at_most is not None:
        target = f"<= {figure.at_most:g}"
    return (figure.name, f"{figure.value:.4g}", target, MARKS[figure.met], figure.unit, figure.note)


def table(figures: Iterable[Figure]) -> str:
    """All figures in aligned columns, a head above; the note is last and may be long."""
    rows: Sequence[tuple[str, ...]] = [HEAD, *(row(figure) for figure in figures)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows
    )


def merge(path: Path, figures: Iterable[Figure]) -> None:
    """Writes the figures into the file at once, keeping those of other names. An unreadable file is replaced."""
    known: dict[str, Any] = {}
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        known = read if isinstance(read, dict) else {}
    except (FileNotFoundError, json.JSONDecodeError):
        pass
    for figure in figures:
        known[figure.name] = figure.as_json()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)
