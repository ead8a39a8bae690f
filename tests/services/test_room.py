"""How much room the downloads leave on the disk."""

from __future__ import annotations

from pathlib import Path

from app.base.paths import find_places
from app.hub.names import local_path
from app.hub.parts import taken_bytes
from app.hub.values import ModelPage, ModelSummary, RemoteFile, Variant
from tests.support.application import running

SIZE = 50_000_000_000
VARIANCE = 500_000_000  # others write on the same disk


def test_what_waits_is_counted(tmp_path: Path) -> None:
    file = RemoteFile(path="tiny.gguf", size_bytes=SIZE, sha256="0" * 64)
    variant = Variant(label="Q4_K_M", name="Q4_K_M", files=(file,), bits_per_weight=4.9, quality="")
    page = ModelPage(summary=ModelSummary(repo="acme/tiny"), commit="1" * 40, variants=(variant,))
    with running(places=find_places(str(tmp_path / "home"))) as (application, _):
        downloading = application.downloading
        free = downloading.free_bytes()
        assert free > 0
        assert abs(downloading.free_bytes(when_done=True) - free) < VARIANCE
        download = downloading.add(page, variant).result(10)
        assert abs(free - SIZE - downloading.free_bytes(when_done=True)) < VARIANCE
        target = local_path(Path(download.folder), download.repo, file.path)
        target.parent.mkdir(parents=True)
        target.write_bytes(b"x" * 1000)
        assert taken_bytes(target) == 1000
        downloading.cancel(download.id).result(10)
        assert abs(downloading.free_bytes(when_done=True) - free) < VARIANCE


def test_a_part_counts_what_it_takes(tmp_path: Path) -> None:
    target = tmp_path / "tiny.gguf"
    assert taken_bytes(target) == 0
    part = tmp_path / "tiny.gguf.part"
    with part.open("wb") as file:
        file.truncate(10_000_000)
    assert taken_bytes(target) < 10_000_000, "a hole takes nothing"
    part.write_bytes(b"x" * 100_000)
    assert taken_bytes(target) >= 100_000
