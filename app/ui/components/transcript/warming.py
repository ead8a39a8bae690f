"""First uses that are slow, done before they are needed: imports, Markdown, names of languages.

On the Qt thread, though it takes some 70 ms: a class derived from QObject that comes into being on another thread (by
an import there) changes a table of PySide's that the Qt thread reads without holding the GIL, and a reader
that comes in between ends the process with a segmentation fault (SignalManager::retrieveMetaObject, seen with 6.11.3).

Lexers are left out: each is loaded when it is met, and takes a megabyte or more.
"""

from __future__ import annotations

import gc
import sys

TURN_S = 0.0001  # another thread goes on for so long when the Qt thread wants to: 5 ms if nobody says

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
    """Imports the transcript, parses a sample of everything, looks up a language; the Qt thread gets its turns soon."""
    from app.ui.components.transcript import highlighting, transcript  # noqa: F401 - imported for later
    from app.ui.components.transcript.parsing import parse

    sys.setswitchinterval(TURN_S)
    parse(_SAMPLE)
    highlighting.display_name("python")
    gc.freeze()  # all this stays until the end: looking through it for garbage takes as long as a frame
