"""A set of files from the Hub into a folder: a variant with its shards and its projector, all or nothing.

Names become local ones by `names.local_path` alone, and nothing is written outside the folder. Space for the whole set
is taken before the first byte comes. Files keep their `.part` names until every file of the set is verified; only then
they take their places, so that what an update replaces stays whole until then.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec

from app.hub import disk
from app.hub.checking import is_already_there
from app.hub.client import prepare
from app.hub.errors import HubError
from app.hub.failures import BadName, DownloadError, FingerprintMismatch, Stopped, from_os_error, no_space
from app.hub.fetching import FileFetch
from app.hub.names import local_path, same_on_disk
from app.hub.pace import Speed
from app.hub.parts import Part, Promise, remove_parts
from app.hub.surroundings import Surroundings
from app.hub.values import Download, RemoteFile
from app.privacy.errors import NetworkError
from app.privacy.policy import Action, Purpose

SPARE_BYTES = 64 * 1024 * 1024
"""What stays free on the disk."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a set is. `remaining_s` is None while it cannot be known. `said` is what a person may want to know."""

    done_bytes: int
    size_bytes: int
    checking: bool = False
    bytes_per_s: float = 0.0
    remaining_s: float | None = None
    said: str = ""


class Downloader:
    """One run of one download. `run` blocks; `stop` and `progress` may be called from any thread."""

    def __init__(self, around: Surroundings, download: Download) -> None:
        self._around = around
        self._download = download
        self._lock = threading.Lock()
        self._action: Action | None = None
        self._parts: dict[str, Part] = {}
        self._done: dict[str, int] = {}
        self._there_before = 0  # of all that is done: what did not come in this run, and says nothing of its speed
        self._current: tuple[Part, FileFetch] | None = None
        self._checking_old = False
        self._speed = Speed()
        self._said = ""
        around.say = self._say

    def run(self) -> list[Path]:
        """Fetches, verifies, puts into place; returns where the files are. Raises HubError (Stopped, NoSpace,
        FingerprintMismatch, FileChanged...) or NetworkError; what came stays for the next run."""
        around, download = self._around, self._download
        prepare(around.gate)
        try:
            with around.gate.action(Purpose.DOWNLOAD, f"Download {download.repo} {download.label}".rstrip()) as action:
                with self._lock:
                    self._action = action
                self._raise_if_ended()
                return self._fetch_all(action)
        except NetworkError as error:
            if around.ended.is_set():
                raise Stopped("The download was stopped.") from error
            raise
        finally:
            self._let_go()

    def stop(self) -> None:
        """Ends the run at once, also while it waits for a server that says nothing. What came stays."""
        self._around.ended.set()
        with self._lock:
            action = self._action
        if action is not None:
            self._around.gate.cancel(action)

    def progress(self) -> Progress:
        """How far it is now. To be asked every now and then: the speed is that since some calls ago."""
        with self._lock:
            done = sum(self._done.values()) + sum(part.done_bytes for part in self._parts.values())
            checking = self._checking_old
            if self._current is not None:
                part, fetch = self._current
                size = part.promise.size_bytes
                checking = checking or (part.done_bytes == size and fetch.hashed_bytes < size)
            speed = self._speed.note(done - self._there_before)
            left = self._download.size_bytes - done
            return Progress(
                done_bytes=done,
                size_bytes=self._download.size_bytes,
                checking=checking,
                bytes_per_s=speed,
                remaining_s=left / speed if speed > 0 else None,
                said=self._said,
            )

    def _fetch_all(self, action: Action) -> list[Path]:
        targets = places(self._download)
        wanted: list[Part] = []
        for path, target in targets.items():
            file = next(one for one in self._download.files if one.path == path)
            part = Part(target, _promise(self._download, file))
            with self._lock:
                self._parts[path] = part
                self._there_before += part.restored_bytes
            if self._is_there(part):
                self._drop(path, part)
            else:
                wanted.append(part)
        self._take_space(wanted)
        for part in wanted:
            self._raise_if_ended()
            self._fetch(action, part)
        for part in wanted:
            part.promote()
            with self._lock:
                self._parts.pop(part.promise.path)
                self._done[part.promise.path] = part.promise.size_bytes
        return list(targets.values())

    def _is_there(self, part: Part) -> bool:
        """Whether the promised file lies there already, whole."""
        if part.restored_bytes or not part.target.is_file():
            return False
        self._checking_old = True
        try:
            promise = part.promise
            return is_already_there(part.target, promise.sha256, promise.size_bytes, self._around.ended)
        finally:
            self._checking_old = False

    def _drop(self, path: str, part: Part) -> None:
        with self._lock:
            self._parts.pop(path)
            self._done[path] = part.promise.size_bytes
            self._there_before += part.promise.size_bytes
        part.discard()

    def _take_space(self, parts: list[Part]) -> None:
        folder = Path(self._download.folder)
        needed = sum(part.wanted_bytes for part in parts)
        try:
            free = disk.free_bytes(folder)
        except OSError as error:
            raise from_os_error(error, folder / "models") from error
        if needed and needed + SPARE_BYTES > free:
            raise no_space(folder, needed, max(0, free - SPARE_BYTES))
        for part in parts:
            part.reserve()

    def _fetch(self, action: Action, part: Part) -> None:
        if part.verified:
            return
        fetch = FileFetch(self._around, action, part)
        with self._lock:
            self._current = part, fetch
        try:
            fetch.run()
            part.save(verified=True)
        except FingerprintMismatch:
            with self._lock:
                self._parts.pop(part.promise.path)
            part.discard()
            raise
        finally:
            with self._lock:
                self._current = None
        self._say("")

    def _let_go(self) -> None:
        """Keeps what came, for the next run."""
        with self._lock:
            self._action = None
            parts, self._parts = self._parts, {}
            self._done |= {path: part.done_bytes for path, part in parts.items()}
        for part in parts.values():
            with contextlib.suppress(DownloadError):
                if not part.verified:
                    part.save()
            part.close()

    def _raise_if_ended(self) -> None:
        if self._around.ended.is_set():
            raise Stopped("The download was stopped.")

    def _say(self, words: str) -> None:
        self._said = words


def places(download: Download) -> dict[str, Path]:
    """Where each file of a download lies in the end. Raises BadName when two would be one, or one would lie outside."""
    folder = Path(download.folder)
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for file in download.files:
        target = local_path(folder, download.repo, file.path)
        one = same_on_disk(file.path)
        if one in seen:
            raise BadName("Two files of this model have names that this computer cannot keep apart.", detail=file.path)
        seen.add(one)
        if not _inside(folder, target):
            raise BadName("A folder of this model leads out of the folder of models.", detail=str(target))
        found[file.path] = target
    return found


def remove_leftovers(download: Download, others: Iterable[Download] = ()) -> None:
    """Removes what a cancelled download left; files that are in their places stay, and what `others` will go on with.
    A disk that refuses is no trouble here: the next download of the same file uses or removes them."""
    needed: set[Path] = set()
    for other in others:
        with contextlib.suppress(HubError):
            needed.update(places(other).values())
    with contextlib.suppress(HubError):
        for target in places(download).values():
            if target in needed:
                continue
            with contextlib.suppress(OSError):
                remove_parts(target)
            for folder in (target.parent, target.parent.parent, target.parent.parent.parent):
                if folder != Path(download.folder) and Path(download.folder) in folder.parents:
                    with contextlib.suppress(OSError):
                        folder.rmdir()  # only when it is empty


def _promise(download: Download, file: RemoteFile) -> Promise:
    return Promise(
        endpoint=download.endpoint,
        repo=download.repo,
        commit=download.commit,
        path=file.path,
        size_bytes=file.size_bytes,
        sha256=file.sha256.lower(),
    )


def _inside(folder: Path, target: Path) -> bool:
    """Whether `target` lies below `folder` once all links on the way are followed."""
    real = os.path.realpath(folder)
    return Path(os.path.realpath(target.parent)).is_relative_to(real) and target != folder
