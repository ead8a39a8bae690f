"""Models of other programs, in folders laid out as those programs do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.hub.elsewhere import folders
from app.hub.elsewhere.folders import gguf_files, models_below, parts_of
from app.hub.elsewhere.hugging_face import hugging_face
from app.hub.elsewhere.lm_studio import lm_studio
from app.hub.elsewhere.ollama import ollama
from app.hub.elsewhere.system import SMALL_BYTES, Root, System, read_small

PLATFORMS = ("linux", "darwin", "win32")
COMMIT, OLDER = "a" * 40, "b" * 40


def touch(path: Path, data: bytes = b"GGUF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def listed(roots: list[Root]) -> list[str]:
    return [found.path for root in roots for found in root.models]


# --- LM Studio ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS)
def test_lm_studio_in_its_usual_folder(tmp_path: Path, platform: str) -> None:
    repository = tmp_path / ".lmstudio" / "models" / "acme" / "tiny-vl-GGUF"
    model = touch(repository / "tiny-vl-Q4_K_M.gguf")
    projector = touch(repository / "mmproj-tiny-vl-f16.gguf")
    touch(repository / "downloading_tiny-vl-Q8_0.gguf.part")
    (root,) = lm_studio(System(tmp_path, {}, platform))
    (found,) = root.models
    assert not root.chosen
    assert (found.path, found.projector) == (str(model), str(projector))
    assert (found.repo, found.commit, found.remote_path) == ("acme/tiny-vl-GGUF", "", "tiny-vl-Q4_K_M.gguf")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_lm_studio_where_its_settings_point(tmp_path: Path, platform: str) -> None:
    applications = {
        "linux": tmp_path / ".config" / "LM Studio",
        "darwin": tmp_path / "Library" / "Application Support" / "LM Studio",
        "win32": tmp_path / "AppData" / "Roaming" / "LM Studio",
    }
    system = System(tmp_path, {}, platform)
    elsewhere, older = tmp_path / "drive" / "llms", tmp_path / "older"
    first = touch(elsewhere / "acme" / "one" / "one.gguf")
    second = touch(older / "acme" / "two" / "two.gguf")
    (tmp_path / "lm home").mkdir()
    (tmp_path / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'lm home'}\n")
    (tmp_path / "lm home" / "settings.json").write_text(json.dumps({"downloadsFolder": str(elsewhere), "x": [1]}))
    touch(applications[platform] / "settings.json", json.dumps({"downloadsFolder": "~/older"}).encode())
    roots = lm_studio(system)
    assert [root.chosen for root in roots] == [True, True]
    assert listed(roots) == [str(first), str(second)]


def test_lm_studio_on_a_drive_that_is_not_there_is_still_named(tmp_path: Path) -> None:
    gone = tmp_path / "drive" / "llms"
    touch(tmp_path / ".lmstudio" / "settings.json", json.dumps({"downloadsFolder": str(gone)}).encode())
    assert lm_studio(System(tmp_path)) == [Root(folder=str(gone), chosen=True, models=())]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"downloadsFolder": 7}',
        b'{"downloadsFolder": "relative/folder"}',
        b'{"downloadsFolder": "/a\\u0000b"}',
        b"[" * 100_000,
        b'{"downloadsFolder": "/x"}' + b" " * SMALL_BYTES,
        b"\xff\xfe",
    ],
)
def test_lm_studio_with_settings_that_nobody_can_use(tmp_path: Path, data: bytes) -> None:
    touch(tmp_path / ".lmstudio" / "settings.json", data)
    touch(tmp_path / ".lmstudio-home-pointer", data)
    model = touch(tmp_path / ".lmstudio" / "models" / "acme" / "one" / "one.gguf")
    assert listed(lm_studio(System(tmp_path))) == [str(model)]


# --- Ollama ---------------------------------------------------------------------------------------------------------


def manifest(layers: dict[str, str]) -> bytes:
    media = "application/vnd.ollama.image."
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": "sha256:00"},
            "layers": [{"mediaType": media + kind, "digest": digest, "size": 4} for kind, digest in layers.items()],
        }
    ).encode()


def ollama_model(folder: Path, name: str, digit: str, **more: str) -> Path:
    touch(folder / "manifests" / name, manifest({"model": f"sha256:{digit * 64}", **more}))
    return touch(folder / "blobs" / f"sha256-{digit * 64}")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_ollama_by_its_manifests(tmp_path: Path, platform: str) -> None:
    folder = tmp_path / ".ollama" / "models"
    plain = ollama_model(folder, "registry.ollama.ai/library/llama3.2/3b", "1", template=f"sha256:{'9' * 64}")
    seeing = ollama_model(folder, "registry.ollama.ai/acme/seeing/latest", "2", projector=f"sha256:{'3' * 64}")
    projector = touch(folder / "blobs" / f"sha256-{'3' * 64}")
    other = ollama_model(folder, "hf.co/acme/tiny-GGUF/Q4_K_M", "4")
    adapted = ollama_model(folder, "registry.ollama.ai/library/adapted/1b", "5", adapter=f"sha256:{'6' * 64}")
    (root,) = ollama(System(tmp_path, {}, platform))
    found = {one.name: one for one in root.models}
    assert {name: one.path for name, one in found.items()} == {
        "llama3.2:3b": str(plain),
        "acme/seeing:latest": str(seeing),
        "hf.co/acme/tiny-GGUF:Q4_K_M": str(other),
        "adapted:1b": str(adapted),
    }
    assert found["acme/seeing:latest"].projector == str(projector)
    assert found["llama3.2:3b"].sha256 == ("1" * 64,)
    assert [name for name, one in found.items() if one.problem] == ["adapted:1b"]


def test_ollama_where_a_variable_points(tmp_path: Path) -> None:
    model = ollama_model(tmp_path / "drive", "registry.ollama.ai/library/a/1b", "1")
    environment = {"OLLAMA_MODELS": str(tmp_path / "drive")}
    assert listed(ollama(System(tmp_path, environment))) == [str(model)]
    assert ollama(System(tmp_path, {"OLLAMA_MODELS": str(tmp_path / "gone")})) == [
        Root(folder=str(tmp_path / "gone"), chosen=True, models=())
    ]


@pytest.mark.parametrize(
    "digest", ["sha256:../../secret", "sha256-" + "A" * 64, "", "sha256:" + "1" * 65, "md5:" + "1" * 64, "/etc/passwd"]
)
def test_a_digest_leads_nowhere_but_to_a_blob(tmp_path: Path, digest: str) -> None:
    folder = tmp_path / ".ollama" / "models"
    touch(folder / "secret")
    touch(folder / "manifests" / "r" / "n" / "m" / "t", manifest({"model": digest}))
    touch(folder / "blobs" / "x")
    assert listed(ollama(System(tmp_path))) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["layers", "digest", "mediaType"]), inner)
    ),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(value=json_values | st.binary(max_size=200))
def test_any_manifest_is_survived(tmp_path: Path, value: Any) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    touch(tmp_path / ".ollama" / "models" / "manifests" / "r" / "n" / "m" / "t", data)
    assert listed(ollama(System(tmp_path))) == []


def test_manifests_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.hub.elsewhere.ollama.MAX_MANIFESTS", 5)
    for number in range(9):
        ollama_model(tmp_path / ".ollama" / "models", f"registry.ollama.ai/library/m{number}/1b", str(number))
    assert len(listed(ollama(System(tmp_path)))) == 5


# --- the Hugging Face cache -----------------------------------------------------------------------------------------


def cached(cache: Path, repo: str, name: str, digest: str, commit: str = COMMIT, *, copy: bool = False) -> Path:
    folder = cache / f"models--{repo.replace('/', '--')}"
    blob = touch(folder / "blobs" / digest)
    path = folder / "snapshots" / commit / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if copy:
        path.write_bytes(blob.read_bytes())
    else:
        path.symlink_to(os.path.relpath(blob, path.parent))
    touch(folder / "refs" / "main", COMMIT.encode())
    return path


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, ".cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "~/xdg"}, "xdg/huggingface/hub"),
        ({"HF_HOME": "~/hf"}, "hf/hub"),
        ({"HF_HOME": "~/hf", "HF_HUB_CACHE": "~/cache"}, "cache"),
        ({"HUGGINGFACE_HUB_CACHE": "~/old"}, "old"),
    ],
)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_cache_wherever_it_is(tmp_path: Path, environment: dict[str, str], place: str, platform: str) -> None:
    path = cached(tmp_path / place, "acme/tiny-GGUF", "tiny-Q4_0.gguf", "1" * 64)
    (root,) = hugging_face(System(tmp_path, environment, platform))
    (found,) = root.models
    assert root.chosen == any(name.startswith(("HF", "HUGG")) for name in environment)
    assert (found.path, found.sha256) == (str(path), ("1" * 64,))
    assert (found.repo, found.commit, found.remote_path) == ("acme/tiny-GGUF", COMMIT, "tiny-Q4_0.gguf")


def test_the_cache_with_shards_folders_and_a_projector(tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "huggingface" / "hub"
    for number, digit in ((1, "1"), (2, "2")):
        cached(cache, "acme/big", f"Q4_K_M/big-Q4_K_M-0000{number}-of-00002.gguf", digit * 64)
    projector = cached(cache, "acme/big", "mmproj-BF16.gguf", "3" * 64)
    cached(cache, "acme/big", "README.md", "4" * 40)
    (root,) = hugging_face(System(tmp_path))
    (found,) = root.models
    assert found.remote_path == "Q4_K_M/big-Q4_K_M-00001-of-00002.gguf"
    assert found.sha256 == ("1" * 64, "2" * 64)
    assert found.projector == str(projector)


def test_the_newest_snapshot_wins_and_others_add_what_it_lacks(tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "huggingface" / "hub"
    new = cached(cache, "acme/a", "a.gguf", "1" * 64)
    cached(cache, "acme/a", "same.gguf", "2" * 64)
    cached(cache, "acme/a", "same.gguf", "2" * 64, OLDER)
    old = cached(cache, "acme/a", "a.gguf", "3" * 64, OLDER)
    copied = cached(cache, "acme/a", "copied.gguf", "4" * 64, OLDER, copy=True)
    (root,) = hugging_face(System(tmp_path))
    found = {one.path: one for one in root.models}
    assert {str(new), str(old), str(copied)} < found.keys()
    assert len(found) == 4
    assert found[str(old)].commit == OLDER
    assert found[str(copied)].sha256 == ()


def test_a_cache_of_strange_names(tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "huggingface" / "hub"
    touch(cache / "datasets--a--b" / "snapshots" / COMMIT / "a.gguf")
    touch(cache / "models--a--b" / "snapshots" / "not a commit" / "a.gguf")
    touch(cache / "models--a--b" / "refs" / "main", b"\xff" * 200)
    touch(cache / "models--" / "snapshots" / COMMIT / "a.gguf")
    (cache / "models--c--d" / "snapshots").mkdir(parents=True)
    (cache / "models--c--d" / "snapshots" / COMMIT).symlink_to(cache / "models--c--d" / "snapshots" / COMMIT)
    plain = touch(cache / "models--gpt2" / "snapshots" / COMMIT / "gpt2.gguf")
    outside = cache / "models--e--f" / "snapshots" / COMMIT / "a.gguf"
    outside.parent.mkdir(parents=True)
    outside.symlink_to(touch(tmp_path / ("5" * 64)))
    (root,) = hugging_face(System(tmp_path))
    found = {one.path: one for one in root.models}
    assert found[str(plain)].repo == ""
    assert found[str(outside)].sha256 == ()


# --- what holds for all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [lm_studio, ollama, hugging_face])
def test_nothing_there_is_nothing(tmp_path: Path, program: Any) -> None:
    assert program(System(tmp_path)) == []
    assert program(System(tmp_path / "no home")) == []
    touch(tmp_path / ".ollama" / "models")
    touch(tmp_path / ".lmstudio" / "models")
    touch(tmp_path / ".cache" / "huggingface" / "hub")
    assert listed(program(System(tmp_path))) == []


def test_a_folder_that_may_not_be_read_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "closed" / "a.gguf")
    open_one = touch(tmp_path / "open" / "a.gguf")
    scan = os.scandir

    def refuse(path: Path) -> Any:
        if path.name == "closed":
            raise PermissionError(path)
        return scan(path)

    monkeypatch.setattr("app.hub.elsewhere.folders.os.scandir", refuse)  # who runs the tests may read everything
    assert [found.path for found in models_below(tmp_path)] == [str(open_one)]


def test_a_tree_without_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MAX_FILES", 7)
    monkeypatch.setattr(folders, "MAX_ENTRIES", 50)
    for number in range(30):
        touch(tmp_path / f"f{number}" / "a.gguf")
        (tmp_path / f"f{number}" / "up").symlink_to(tmp_path)
    assert 0 < len(gguf_files(tmp_path)) <= 7
    deep = tmp_path / "deep"
    touch(deep.joinpath(*"abcdefgh") / "a.gguf")
    assert gguf_files(deep) == []


def test_which_projector_belongs_to_which_model(tmp_path: Path) -> None:
    one = touch(tmp_path / "Qwen2.5-VL-7B-Instruct-Q4_K_M.gguf")
    projector = touch(tmp_path / "mmproj-Qwen2.5-VL-7B-Instruct-f16.gguf")
    touch(tmp_path / "mmproj-model-f16.gguf")
    other = touch(tmp_path / "Llama-3.2-3B-Q4_K_M.gguf")
    alone = touch(tmp_path / "sub" / "gemma-3-4b-it-UD-Q4_K_XL.gguf")
    beside = touch(tmp_path / "sub" / "mmproj-F32.gguf")
    better = touch(tmp_path / "sub" / "mmproj-BF16.gguf")
    lone = touch(tmp_path / "lone" / "mmproj-F16.gguf")
    touch(tmp_path / "sub" / "imatrix.gguf")
    found = {model.path: model.projector for model in models_below(tmp_path)}
    assert found == {
        str(one): str(projector),
        str(other): "",
        str(alone): str(better),
        str(lone): "",
    }
    assert beside.exists()


def test_parts(tmp_path: Path) -> None:
    first = touch(tmp_path / "a-00001-of-00003.gguf")
    touch(tmp_path / "a-00002-of-00003.gguf")
    assert [path.name for path in parts_of(first)] == ["a-00001-of-00003.gguf", "a-00002-of-00003.gguf"]
    assert parts_of(tmp_path / "a-00002-of-00003.gguf") == [tmp_path / "a-00002-of-00003.gguf"]
    huge = touch(tmp_path / "b-00001-of-99999.gguf")
    assert parts_of(huge) == [huge]
    assert [Path(model.path).name for model in models_below(tmp_path)] == [first.name, huge.name]


def test_only_small_regular_files_are_read(tmp_path: Path) -> None:
    assert read_small(tmp_path) is None
    assert read_small(tmp_path / "none") is None
    assert read_small(Path("/dev/zero")) is None
    assert read_small(touch(tmp_path / "big", b"x" * 11), 10) is None
    assert read_small(touch(tmp_path / "small", b"x" * 10), 10) == b"x" * 10
    os.mkfifo(tmp_path / "pipe")
    assert read_small(tmp_path / "pipe") is None
