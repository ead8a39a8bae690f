"""A Hub with one repository, its CDN, and downloads from it into a folder: what tests of downloading begin with."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from app.hub.downloader import Downloader
from app.hub.pace import Manner, Throttle
from app.hub.surroundings import Surroundings
from app.hub.values import Download, RemoteFile
from app.privacy.gate import Gate
from app.privacy.policy import Policy
from tests.support.hub.files import Cdn, FileHub, Files
from tests.support.hub.repository import HubFile, Repository

SMALL = Manner(
    connections=4,
    enough_bytes_per_s=0,
    piece_min_bytes=16_384,
    piece_max_bytes=16_384,
    backoff_s=0.002,
    backoff_max_s=0.01,
    stall_s=0.3,
    patience_s=20.0,
    save_s=0.05,
)
PIECE = 16_384


def random_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


class World:
    """Servers, a gate, and the threads of the downloads, all ended by `close`."""

    def __init__(self, folder: Path, files: dict[str, bytes | Path | HubFile], **cdn: object) -> None:
        self.folder = folder
        self.repository = Repository("acme/tiny", dict(files))
        self.cdn = Cdn(**cdn)  # type: ignore[arg-type]
        self.files = Files({self.repository.id: self.repository}, self.cdn)
        self.hub = FileHub(self.files)
        self.online = True
        self.gate = Gate(
            lambda: Policy(online=self.online, hub=self.hub.url, token_hosts=(self.hub.url.removeprefix("http://"),))
        )
        self.threads: list[threading.Thread] = []

    def spawn(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self.threads.append(thread)
        thread.start()

    def wanted(self, *paths: str) -> Download:
        """The download of these files (all by default) as they are now."""
        found = [self.repository.files[path] for path in paths or self.repository.files]
        return Download(
            id="d1",
            endpoint=self.hub.url,
            repo=self.repository.id,
            commit=self.repository.commit,
            label="Q4_K_M",
            files=tuple(
                RemoteFile(path=file.path, size_bytes=file.size, sha256=file.sha256 if file.lfs else "")
                for file in found
            ),
            folder=str(self.folder),
        )

    def downloader(
        self, download: Download | None = None, *, limit: int = 0, token: str = "", **manner: object
    ) -> Downloader:
        around = Surroundings(
            self.gate,
            self.spawn,
            lambda: token,
            manner=msgspec.structs.replace(SMALL, **manner),
            throttle=Throttle(lambda: limit),
        )
        return Downloader(around, download or self.wanted())

    def place(self, path: str) -> Path:
        return self.folder / "acme" / "tiny" / path

    def left(self) -> list[str]:
        """All files in the folder, relative, in order."""
        found = os.walk(self.folder)  # which does not mind folders that go while it looks
        return sorted(str(Path(at, name).relative_to(self.folder)) for at, _, names in found for name in names)

    def close(self) -> None:
        self.gate.close()
        self.cdn.close()
        self.hub.close()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive(), thread.name
