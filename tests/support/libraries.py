"""What tests of the library share: digests, the person's own part of a list, a model as Ollama keeps it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from app.engine.values import ModelFile


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def own(models: list[ModelFile]) -> list[ModelFile]:
    return [model for model in models if not model.is_starter]


def ollama_model(person: Path, name: str, source: Path) -> Path:
    models, digest = person / ".ollama" / "models", sha256(source)
    blob = models / "blobs" / f"sha256-{digest}"
    manifest = models / "manifests" / "registry.ollama.ai" / "library" / name.replace(":", "/")
    blob.parent.mkdir(parents=True, exist_ok=True)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, blob)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    return blob
