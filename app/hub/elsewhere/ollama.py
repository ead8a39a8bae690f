"""Where Ollama keeps models: manifests/<registry>/<namespace>/<model>/<tag> name blobs/sha256-<digest>.

The folder is OLLAMA_MODELS, else `.ollama/models` in the home folder, on Linux also that of the account the service
runs as. A manifest is an OCI image manifest; one of its layers is the model, another may be its projector. What the
digest of a layer promises is not checked here. Any manifest may be broken or made up: only names of digests lead to
files, so none of them leads out of the blobs.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from app.hub.elsewhere.system import Found, Root, System, is_file, is_folder, read_json

MAX_MANIFESTS = 2000
_MAX_NAMES = 5000

_SERVICE = Path("/usr/share/ollama/.ollama/models")
_MEDIA = "application/vnd.ollama.image."
_REGISTRY = "registry.ollama.ai"
_LIBRARY = "library"
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})\Z")
_NEEDS_ADAPTER = "This model of Ollama is completed by an adapter (LoRA), which Inglenook does not load."


class _Layer(msgspec.Struct):
    media: str = msgspec.field(default="", name="mediaType")
    digest: str = ""


class _Manifest(msgspec.Struct):
    layers: list[_Layer] = []


def ollama(system: System) -> list[Root]:
    """Its folders of models that are there, and the one OLLAMA_MODELS points to."""
    named = system.folder("OLLAMA_MODELS")
    usual = [system.home / ".ollama" / "models"]
    if system.platform == "linux":
        usual.append(_SERVICE)
    roots = [(named, True)] if named is not None else []
    roots += [(folder, False) for folder in usual if folder != named and is_folder(folder)]
    return [Root(folder=str(folder), chosen=chosen, models=_models(folder)) for folder, chosen in roots]


def _models(folder: Path) -> tuple[Found, ...]:
    found = (_model(folder, manifest) for manifest in _manifests(folder / "manifests"))
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.name))


def _model(folder: Path, manifest: Path) -> Found | None:
    read = read_json(manifest, _Manifest)
    if read is None:
        return None
    blobs = {layer.media: _blob(folder / "blobs", layer.digest) for layer in reversed(read.layers)}
    model, projector = blobs.get(f"{_MEDIA}model"), blobs.get(f"{_MEDIA}projector")
    if model is None:
        return None
    path, digest = model
    return Found(
        path=str(path),
        name=_name(*manifest.relative_to(folder / "manifests").parts),
        projector=str(projector[0]) if projector is not None else "",
        sha256=(digest,),
        problem=_NEEDS_ADAPTER if f"{_MEDIA}adapter" in blobs else "",
    )


def _blob(blobs: Path, digest: str) -> tuple[Path, str] | None:
    """The file of a digest that is there; older versions wrote a colon into its name."""
    found = _DIGEST.match(digest)
    if found is None:
        return None
    for name in (f"sha256-{found[1]}", f"sha256:{found[1]}"):
        if is_file(blobs / name):
            return blobs / name, found[1]
    return None


def _name(registry: str, namespace: str, model: str, tag: str) -> str:
    """As `ollama list` writes it: llama3.2:3b, someone/model:tag, hf.co/someone/model:Q4_K_M."""
    words = (registry if registry != _REGISTRY else "", namespace if namespace != _LIBRARY else "", model)
    if words[0]:
        words = (registry, namespace, model)
    return "/".join(word for word in words if word) + f":{tag}"


def _manifests(folder: Path) -> Iterator[Path]:
    level = [folder]
    for _ in range(4):
        level = list(itertools.islice(itertools.chain.from_iterable(map(_entries, level)), MAX_MANIFESTS))
    yield from (path for path in level if is_file(path))


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            some = itertools.islice((entry.name for entry in entries), _MAX_NAMES)
            return [folder / name for name in sorted(some) if not name.startswith(".")]
    except (OSError, ValueError):
        return []
