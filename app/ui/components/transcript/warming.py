"""First uses that are slow, done before they are needed and on another thread: imports, Markdown, Pygments."""

from __future__ import annotations

_SAMPLE = """\
# A *title*

**Bold**, *italic*, `code`, ~~struck~~, [link](https://example.org) & more.

- item

> quote

| a | b |
|---|---|
| 1 | 2 |

```python
x = 1
```
"""


def warm_up() -> None:
    """Imports the transcript, parses a sample of everything, compiles the most used lexer."""
    from app.ui.components.transcript import highlighting, transcript  # noqa: F401 - imported for later
    from app.ui.components.transcript.building import parse

    parse(_SAMPLE)
    highlighting.display_name("python")
    highlighting.load("python", "x = 1\n")
