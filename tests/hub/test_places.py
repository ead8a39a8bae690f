"""Where downloads put their files: inside their folder, whatever a repository calls them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from app.base.errors import InglenookError
from app.hub.downloader import places
from app.hub.failures import (
    BadName,
)
from app.hub.values import RemoteFile
from tests.hub.downloading import (
    MODEL,
    NAME,
    SIZE,
)
from tests.support.hub.downloads import World


@pytest.mark.parametrize(
    "path",
    ["../../escape.gguf", "/etc/passwd.gguf", "..", "a/../../b.gguf", "C:\\x.gguf", "CON.gguf", "x" * 300 + ".gguf",
     "\u202egguf.exe", "a\x00b.gguf", "m.gguf\n", "~/m.gguf", "././m.gguf", "a//b.gguf", "аdmin.gguf"],
)  # fmt: skip
def test_hostile_names_stay_inside(tmp_path: Path, path: str) -> None:
    around = tmp_path / "around"
    world = World(around / "models", {NAME: MODEL})
    file = RemoteFile(path=path, size_bytes=SIZE, sha256=hashlib.sha256(MODEL).hexdigest())
    download = msgspec.structs.replace(world.wanted(), files=(file,))
    (target,) = places(download).values()
    assert target.resolve().is_relative_to(world.folder.resolve() / "acme" / "tiny")
    with pytest.raises(InglenookError):
        world.downloader(download).run()  # the Hub has no such file
    assert all(one.startswith("acme/tiny/") for one in world.left())
    assert {one.name for one in around.iterdir()} <= {"models"}
    world.close()


@pytest.mark.parametrize("repo", ["../..", "..", "/etc", "a/../..", "acme/.."])
def test_hostile_repositories_stay_inside(tmp_path: Path, repo: str) -> None:
    world = World(tmp_path / "models", {NAME: MODEL})
    for target in places(msgspec.structs.replace(world.wanted(), repo=repo)).values():
        assert target.resolve().is_relative_to(world.folder.resolve())
        assert len(target.relative_to(world.folder).parts) >= 3
    world.close()


def test_names_that_would_be_one_file_are_refused(world: World) -> None:
    file = world.wanted().files[0]
    both = (file, msgspec.structs.replace(file, path=file.path.upper()))
    with pytest.raises(BadName):
        places(msgspec.structs.replace(world.wanted(), files=both))


def test_a_folder_that_leads_outside_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    world.folder.mkdir(parents=True)
    (world.folder / "acme").symlink_to(tmp_path / "outside")
    with pytest.raises(BadName):
        world.downloader().run()
    assert list((tmp_path / "outside").iterdir()) == []
