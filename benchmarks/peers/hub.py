"""A Hub on loopback with many repositories: `python -m benchmarks.peers.hub COUNT`.

Prints one JSON line with its address and ends with its input. What a list says of a repository is about as long as on
the public Hub: some twenty files and a chat template.
"""

from __future__ import annotations

import json
import sys

from tests.support.hub.repository import HubFile, Repository
from tests.support.hub.samples import crowd
from tests.support.hub.server import Hub

FILES = 20
TEMPLATE_CHARS = 4000
NO_LIMIT = 1_000_000


def repositories(count: int) -> list[Repository]:
    """All of them match the search for "crowd"."""
    files = {name: HubFile(name, b"GGUF") for name in (f"model-Q{number}_K_M.gguf" for number in range(FILES))}
    template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    template *= TEMPLATE_CHARS // len(template)
    made = crowd(count)
    for one in made:
        one.files |= files
        one.gguf["chat_template"] = template
    return made


def main(arguments: list[str]) -> None:
    hub = Hub(repositories(int(arguments[0])))
    hub.left = NO_LIMIT
    try:
        print(json.dumps({"hub": hub.url}), flush=True)
        sys.stdin.read()
    finally:
        hub.close()


if __name__ == "__main__":
    main(sys.argv[1:])
