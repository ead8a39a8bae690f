"""Names from the Hub: what they say, and that none of them leads anywhere but below the folder."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.hub.names import Kind, kind, local_path, part_of, quantization, same_on_disk

FOLDER = Path("/models")


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("Qwen3-8B-Q4_K_M.gguf", "Q4_K_M"),
        ("qwen2.5-7b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("llama-2-7b.Q5_K_S.gguf", "Q5_K_S"),
        ("model-IQ2_XXS.gguf", "IQ2_XXS"),
        ("gemma-3-27b-it-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("UD-IQ1_S/DeepSeek-R1-UD-IQ1_S-00001-of-00003.gguf", "UD-IQ1_S"),
        ("BF16/Qwen3-30B-A3B-BF16-00001-of-00002.gguf", "BF16"),
        ("SmolLM2-1.7B-fp16.gguf", "F16"),
        ("model-f32.gguf", "F32"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("gpt-oss-20b-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("bitnet-TQ1_0.gguf", "TQ1_0"),
        ("phi-4-Q4_0_4_8.gguf", "Q4_0_4_8"),
        ("Q8_0/model.gguf", "Q8_0"),
        ("model-F16-Q4_0.gguf", "Q4_0"),
        ("Llama-3.2-3B-Instruct-Q6_K_L.gguf", "Q6_K_L"),
        ("starter.Q4_1.gguf", "Q4_1"),
        ("something-q8.gguf", "Q8"),
        ("Qwen2.5-7B-Instruct.gguf", ""),
        ("GPTQ4-notes.gguf", ""),
        ("", ""),
    ],
)
def test_quantization(path: str, label: str) -> None:
    assert quantization(path) == label


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("a-Q4_K_M.gguf", Kind.MODEL),
        ("A-Q4_K_M.GGUF", Kind.MODEL),
        ("mmproj-model-f16.gguf", Kind.PROJECTOR),
        ("gemma-3-4b-it-mmproj-BF16.gguf", Kind.PROJECTOR),
        ("imatrix_unsloth.dat", Kind.IMATRIX),
        ("Qwen3-imatrix.gguf", Kind.IMATRIX),
        ("MTP/mtp-GLM-4.6-Q8_0.gguf", Kind.DRAFT),
        ("Llama-3.1-8B-eagle3-F16.gguf", Kind.DRAFT),
        ("dflash-Qwen3-8B.gguf", Kind.DRAFT),
        ("x/dspark-model.gguf", Kind.DRAFT),
        ("README.md", Kind.OTHER),
        ("model.safetensors", Kind.OTHER),
    ],
)
def test_kind(path: str, what: Kind) -> None:
    assert kind(path) is what


def test_parts() -> None:
    assert part_of("Q4/model-00002-of-00003.gguf") == ("Q4/model", 2, 3)
    assert part_of("model-1-of-3.gguf") is None
    assert part_of("model.gguf") is None


def test_usual_names_stay_as_they_are() -> None:
    path = local_path(FOLDER, "bartowski/Llama-3.2-3B-Instruct-GGUF", "Q8_0/Llama-3.2-3B-00001-of-00002.gguf")
    assert path == FOLDER / "bartowski/Llama-3.2-3B-Instruct-GGUF/Q8_0/Llama-3.2-3B-00001-of-00002.gguf"


@pytest.mark.parametrize(
    "remote",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a//b.gguf",
        "C:\\Windows\\x.gguf",
        "C:x.gguf",
        "\\\\server\\share\\x.gguf",
        "..\\..\\x.gguf",
        "CON",
        "nul.gguf",
        "com1.Q4_K_M.gguf",
        "CON .gguf",
        "LPT9/x.gguf",
        "x.gguf.",
        "x.gguf ",
        " x.gguf",
        ".hidden/x.gguf",
        "-rf.gguf",
        "~/x.gguf",
        "$HOME/x.gguf",
        "x.gguf\0.txt",
        "a\nb.gguf",
        "x.gguf:stream",
        "a*?.gguf",
        "x" * 300 + ".gguf",
        "/".join(["deep"] * 200) + "/x.gguf",
        "Ll\N{CYRILLIC SMALL LETTER A}ma.gguf",
        "x\N{RIGHT-TO-LEFT OVERRIDE}fugg.exe",
        "模型-Q4_K_M.gguf",
        "\ud800.gguf",
    ],
)
def test_hostile_names_become_harmless_ones(remote: str) -> None:
    path = local_path(FOLDER, "owner/name", remote)
    assert _harmless(path)
    assert "~" in path.as_posix()
    assert path == local_path(FOLDER, "owner/name", remote)


@pytest.mark.parametrize("repo", ["../..", "..", "", "a", "a/b/c", "/etc", "CON/NUL", "a\\b/c", "o/" + "n" * 300])
def test_hostile_repositories_become_harmless_folders(repo: str) -> None:
    path = local_path(FOLDER, repo, "x.gguf")
    assert _harmless(path)
    assert len(path.relative_to(FOLDER).parts) == 3


def test_parts_of_a_split_model_keep_one_stem() -> None:
    for stem in ("ordinary", "Mod\N{LATIN SMALL LETTER E WITH ACUTE}l", "y" * 200, "con", "a:b"):
        names = [local_path(FOLDER, "o/n", f"{stem}-{n:05d}-of-00003.gguf").name for n in (1, 2, 3)]
        stems = {name.removesuffix(f"-{n:05d}-of-00003.gguf") for n, name in enumerate(names, 1)}
        assert len(stems) == 1, names


def test_the_ending_stays_readable() -> None:
    assert local_path(FOLDER, "o/n", "模型.Q4_K_M.gguf").name.endswith(".gguf")
    assert local_path(FOLDER, "o/n", "z" * 300 + "-Q4_K_M.gguf").suffix == ".gguf"


def test_names_that_differ_in_case_only_are_told() -> None:
    assert same_on_disk("A/Model.gguf") == same_on_disk("a/model.GGUF")
    assert same_on_disk("a.gguf") != same_on_disk("b.gguf")


_texts = st.text(max_size=40) | st.text(alphabet="./\\~: aA0-_", max_size=20)
_components = (
    st.sampled_from(["", ".", "..", "CON", "nul.gguf", "a", "A", "a~b", "x" * 120, " ", "a.", "b.gguf"]) | _texts
)
_paths = st.lists(_components, min_size=1, max_size=6).map("/".join) | st.text(max_size=400)


@settings(deadline=None)
@given(_paths, _paths)
@example("a/b", "c")
@example("a", "b/c")
@example("o/n", "../" * 50 + "x.gguf")
def test_no_name_leaves_the_folder(repo: str, remote: str) -> None:
    path = local_path(FOLDER, repo, remote)
    assert _harmless(path)
    assert path == local_path(FOLDER, repo, remote)
    relative = path.relative_to(FOLDER)
    assert 3 <= len(relative.parts) <= 5
    assert len(str(relative)) < 600


@settings(deadline=None)
@given(_paths, _paths, _paths, _paths)
@example("a/b", "a", "c.gguf", "b/c.gguf")
@example("a", "/a", "c.gguf", "c.gguf")
@example("o/n", "o/n", "a~0123456789abcdef", "a")
@example("o/n", "o/n", "a/b/c/d.gguf", "a/b/c~x/d.gguf")
def test_two_files_never_share_a_place(repo: str, other_repo: str, remote: str, other_remote: str) -> None:
    same = (repo, remote) == (other_repo, other_remote)
    assert (local_path(FOLDER, repo, remote) == local_path(FOLDER, other_repo, other_remote)) is same


@settings(deadline=None)
@given(_paths)
def test_what_a_name_became_is_no_other_name(remote: str) -> None:
    """Somebody who knows the rule cannot take the place of a replaced name by using the replacement itself."""
    path = local_path(FOLDER, "o/n", remote)
    shown = path.relative_to(FOLDER / "o/n").as_posix()
    if shown != remote:
        assert local_path(FOLDER, "o/n", shown) != path


@settings(deadline=None)
@given(st.text(max_size=60))
def test_reading_names_raises_nothing(name: str) -> None:
    quantization(name)
    kind(name)
    part_of(name)


def _harmless(path: Path) -> bool:
    """Below the folder, on every system, whatever the file system does with names."""
    assert Path(os.path.normpath(path)) == path
    relative = path.relative_to(FOLDER)
    for name in relative.parts:
        assert re.fullmatch(r"[A-Za-z0-9._+=@,()\[\] ~-]+", name), name
        assert name not in (".", "..")
        assert name[0] not in ".- "
        assert name[-1] not in ". "
        assert len(name) <= 140
        device = name.partition(".")[0].rstrip(" ").upper()
        assert not re.fullmatch(r"CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|CLOCK\$|COM\d|LPT\d", device), name
        assert len(PureWindowsPath(name).parts) == len(PurePosixPath(name).parts) == 1
    return True
