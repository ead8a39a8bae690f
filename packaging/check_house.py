"""Checks what linters do not: file sizes, module docstrings, empty packages, stray colours. Standard library only.

Run by `make lint`. Prints each fault as `path: what is wrong` and exits with 1 if there is one.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 500
MAX_WINDOW_LINES = 250
# A colour belongs to the theme: hexadecimal colours elsewhere in the window are drift.
COLOUR = re.compile(r"""["']#[0-9A-Fa-f]{6}["']""")


def faults() -> list[str]:
    """Every fault of the house, as a line to print."""
    found = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        limit = MAX_WINDOW_LINES if name == "app/ui/window.py" else MAX_LINES
        if lines > limit:
            found.append(f"{name}: {lines} lines, at most {limit}")
        tree = ast.parse(text)
        if not ast.get_docstring(tree) and "/migrations/versions/" not in name:
            found.append(f"{name}: no module docstring")
        if path.name == "__init__.py" and len(tree.body) > 1:
            found.append(f"{name}: holds more than a docstring")
        if name.startswith("app/ui/") and not name.startswith("app/ui/theme/") and COLOUR.search(text):
            found.append(f"{name}: names a colour; colours live in app/ui/theme")
    return found


def main() -> int:
    """Prints the faults; 1 if there are any."""
    lines = faults()
    print("\n".join(lines) or "house: in order", file=sys.stderr if lines else sys.stdout)
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
