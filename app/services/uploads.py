"""Asks, when the person wants it, whether the Hub has another file now in the place a model came from."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.engine.values import ModelFile
from app.hub.values import ModelPage
from app.services.errors import NotFromTheHub


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """What the Hub has now. `newer`: another file than ours lies there. `gone`: it is not there any more. `commit` is
    the newest; `sentence` is for the person."""

    repo: str
    commit: str
    newer: bool
    gone: bool
    sentence: str


def newer_upload(model: ModelFile, newer: Callable[[str, str], str], look: Callable[[str], ModelPage]) -> Upload:
    """Asks the Hub at most twice. `newer` gives the newest commit if it is another, `look` the repository as it is now
    (Browsing.newer, Browsing.look). A change beside the file does not count. Raises NotFromTheHub, HubError or
    NetworkError."""
    if not model.repo or not model.remote_path:
        raise NotFromTheHub(f"It is not known where {model.name} came from, so nobody can be asked for a newer one.")
    if model.commit and not newer(model.repo, model.commit):
        return _upload(model, model.commit, f"{model.name} is the newest upload.")
    page = look(model.repo)
    files = {file.path: file for variant in page.variants for file in variant.files}
    first = files.get(model.remote_path)
    if first is None:
        words = f"{model.repo} does not have this file any more. Yours stays as it is."
        return msgspec.structs.replace(_upload(model, page.commit, words), gone=True)
    ours, theirs = (model.sha256[0] if model.sha256 else ""), first.sha256.lower()
    other_size = model.parts == 1 and first.size_bytes != model.size_bytes
    if (ours != theirs) if ours and theirs else other_size:
        words = f"{model.repo} has a newer upload of {model.name}."
        return msgspec.structs.replace(_upload(model, page.commit, words), newer=True)
    if not (ours and theirs):
        words = f"The file of {model.name} in {model.repo} has the same size. Verify the model to compare it whole."
        return _upload(model, page.commit, words)
    return _upload(model, page.commit, f"{model.name} is the newest upload; only other files of {model.repo} changed.")


def _upload(model: ModelFile, commit: str, sentence: str) -> Upload:
    return Upload(repo=model.repo, commit=commit, newer=False, gone=False, sentence=sentence)
