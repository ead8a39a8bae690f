"""A process that downloads one file and can be killed: `python -m tests.hub.children DOWNLOAD.json [LIMIT_BYTES]`."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from app.base.errors import InglenookError
from app.hub.downloader import Downloader
from app.hub.pace import Manner
from app.hub.surroundings import Surroundings
from app.hub.values import Download
from app.privacy.gate import Gate
from app.privacy.policy import Policy

MANNER = Manner(
    connections=4, enough_bytes_per_s=0, piece_min_bytes=1 << 20, piece_max_bytes=1 << 20, save_s=0.1, stall_s=60.0
)


def main() -> None:
    download = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Download)
    if len(sys.argv) > 2:
        limit = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    def spawn(name: str, run: Callable[[], None]) -> None:
        threading.Thread(target=run, name=name, daemon=True).start()

    gate = Gate(lambda: Policy(online=True, hub=download.endpoint))
    downloader = Downloader(Surroundings(gate, spawn, manner=MANNER), download)
    try:
        downloader.run()
        print("done", flush=True)
    except InglenookError as error:
        print(error.code, error.sentence, flush=True)


if __name__ == "__main__":
    main()
