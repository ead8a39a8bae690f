"""`inglenook models pull`: gets a model. Whatever ends it, the same command goes on where it was."""

from __future__ import annotations

import queue
import sys
import time
from typing import Any

import click

from app.base.sizes import size_words
from app.cli.front import FAILED, Application, Front, say_error, write_json, write_text
from app.cli.models.words import Bar, ending_at_a_signal, speed_words
from app.engine.values import ModelFile
from app.hub.values import Download, DownloadState
from app.services.changes import Change, DownloadProgressed, DownloadsChanged
from app.services.queue import place_of
from app.services.sameness import paths_of
from app.services.shelves import is_below

LOOK_S = 0.5
WRITE_S = 20.0


@click.command()
@click.argument("name", metavar="REPO[:QUANT]")
@click.option("--revision", default="", metavar="NAME", help="A branch, a tag or a commit instead of the newest.")
@click.option("--no-projector", is_flag=True, help="Leave out the file with which the model sees pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def pull(front: Front, name: str, revision: str, no_projector: bool, as_json: bool) -> int:
    """Download a model from Hugging Face into your folder of models.

    REPO is owner/name; QUANT is a quantization of it such as Q4_K_M. Without one the usual one is taken. Ctrl+C pauses,
    and the same command goes on.
    """
    repo, _, wanted = (name, "", "") if "://" in name else name.partition(":")  # what is said of a link names all of it
    with front.application() as application:
        application.network.consent()
        page = application.browsing.look(repo, revision)
        variant = application.browsing.pick(page, wanted)
        if sys.stderr.isatty() and not as_json:
            click.echo(f"{repo} {variant.name}, {size_words(variant.size_bytes)}", err=True)
        pulling = _Pulling(application, name, shown=not as_json)
        adding = application.downloading.add(page, variant, with_projector=not no_projector, mine=True)
        one = adding.result(WRITE_S).id
        application.downloading.resume(one).result(WRITE_S)  # it may have rested; from here on its state is of now
        return pulling.run(one, as_json)


class _Pulling:
    """One download on its way, followed until it ends."""

    def __init__(self, application: Application, name: str, *, shown: bool) -> None:
        self._application = application
        self._name = name
        self._shown = shown
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._last: Download | None = None
        self._done_bytes = 0
        self._began = time.monotonic()

    def run(self, id: str, as_json: bool) -> int:
        """Follows it; returns the exit code."""
        unsubscribe = self._application.publisher.subscribe(self._changes.put)
        try:
            with ending_at_a_signal() as (ended, signals):
                first = self._application.downloading.get(id)
                with Bar(self._name, first.size_bytes if first else 0, shown=self._shown) as bar:
                    while not ended.is_set() and self._goes_on(id):
                        self._show(bar)
                        self._wait(bar, id)
                    if self._last is not None and self._last.state is DownloadState.DONE:
                        bar.at(self._last.size_bytes)
                if ended.is_set():
                    self._application.downloading.pause(id).result(WRITE_S)
                    say_error(f"Paused{self._how_far()}. {self._again}")
                    return 128 + signals[0]
        finally:
            unsubscribe()
        return self._end(id, as_json)

    def _goes_on(self, id: str) -> bool:
        """Whether there is still something to wait for. One that waits for its next try because something failed is
        not waited for: it may be minutes."""
        download = self._application.downloading.get(id)
        self._last = download or self._last
        self._done_bytes = max(self._done_bytes, download.done_bytes if download else 0)
        if download is None or download.state in (DownloadState.DONE, DownloadState.FAILED, DownloadState.PAUSED):
            return False
        failed = download.state is DownloadState.WAITING and download.code not in ("", "download_elsewhere")
        return not failed

    def _wait(self, bar: Bar, id: str) -> None:
        """Until something may have changed."""
        try:
            change = self._changes.get(timeout=LOOK_S)
            while True:
                if isinstance(change, DownloadProgressed) and change.id == id:
                    self._done_bytes = change.done_bytes
                    said = change.said or ("Checking" if change.checking else "")
                    bar.at(change.done_bytes, said or speed_words(change.bytes_per_s, change.remaining_s))
                elif isinstance(change, DownloadsChanged):
                    return
                change = self._changes.get_nowait()
        except queue.Empty:
            return

    def _show(self, bar: Bar) -> None:
        if self._last is not None and self._last.state is not DownloadState.RUNNING:
            bar.at(self._last.done_bytes, self._last.sentence)

    def _end(self, id: str, as_json: bool) -> int:
        download = self._application.downloading.get(id)
        if download is None:
            say_error("The download was cancelled elsewhere.")
            return FAILED
        if download.state is DownloadState.PAUSED:
            say_error(f"The download was paused elsewhere{self._how_far()}. {self._again}")
            return FAILED
        if download.state is not DownloadState.DONE:
            say_error(
                f"{download.sentence or 'The download failed.'}{f' {self._again}' if download.done_bytes else ''}"
            )
            return FAILED
        self._application.library.refresh()
        model = _model_of(self._application, download)
        if as_json:
            write_json(self._facts(download, model))
        else:
            write_text(f"{model.name if model else download.repo} is there: {_path_of(model, download)}")
            if model is not None and model.problem:
                say_error(model.problem)
        return 0

    @property
    def _again(self) -> str:
        return f"The command `inglenook models pull {self._name}` goes on where it was."

    def _how_far(self) -> str:
        if self._last is None or not self._last.size_bytes or not self._done_bytes:
            return ""
        return f" at {self._done_bytes / self._last.size_bytes:.0%}"

    def _facts(self, download: Download, model: ModelFile | None) -> dict[str, Any]:
        return {
            "repo": download.repo,
            "commit": download.commit,
            "label": download.label,
            "files": [file.path for file in download.files],
            "size_bytes": download.size_bytes,
            "seconds": round(time.monotonic() - self._began, 3),
            "model_id": model.id if model else "",
            "path": _path_of(model, download) if model else "",
            "projector": model.projector if model else "",
        }


def _model_of(application: Application, download: Download) -> ModelFile | None:
    """The library's model that came with a download. Content that was there before keeps the name it had and lies at
    the download's place too."""
    wanted = (download.repo, download.commit, download.files[0].path)
    models = application.library.list()
    found = next((model for model in models if (model.repo, model.commit, model.remote_path) == wanted), None)
    return found or next((model for model in models if str(place_of(download)) in paths_of(model)), None)


def _path_of(model: ModelFile | None, download: Download) -> str:
    """Where it came to: the library may show the same content at another place."""
    paths = paths_of(model) if model is not None else ()
    if str(place_of(download)) in paths:
        return str(place_of(download))
    return next((path for path in paths if is_below(path, download.folder)), download.folder)
