"""First uses that are slow, done before they are needed: Markdown, fonts, Pygments."""

from __future__ import annotations

from app.ui.components.transcript import highlighting
from app.ui.components.transcript.chunks import split
from app.ui.components.transcript.looks import Looks
from app.ui.components.transcript.piece import Piece

_SAMPLE = """\
# A *title*

**Bold**, *italic*, `code`, [link](https://example.org).

- item

| a | b |
|---|---|
| 1 | 2 |

```python
x = 1
```
"""


def warm_up(looks: Looks) -> None:
    """Renders a sample of everything once and throws it away."""
    for chunk in split(_SAMPLE):
        piece = Piece(chunk, _SAMPLE[chunk.start : chunk.end], looks, ink="ink", references="", closes=True)
        piece.lay_out(600)
    highlighting.warm_up()
