"""Files of adapters, right ones and wrong ones, before any native code sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.adapters import check_fits, describe, fingerprint, read_adapter
from app.engine.errors import AdapterMisfit
from app.engine.gguf import check_loadable
from tests.support import tiny_adapters, tiny_models
from tests.support.tiny_adapters import pairs, write

VOCABULARY = len(tiny_models.SPECIAL) + 256 + len(tiny_models.MERGES)


def refused(path: Path, model: Path | None = None) -> AdapterMisfit:
    with pytest.raises(AdapterMisfit) as caught:
        check_fits(path, read_adapter(path), [check_loadable(model)] if model else [])
    assert path.name in caught.value.sentence
    return caught.value


def reason(error: AdapterMisfit) -> str:
    return error.detail.splitlines()[0]


def test_an_adapter_is_described(tmp_path: Path) -> None:
    path = write(tmp_path / "pirate.gguf", general__name="Pirate", general__base_model__0__name="Tiny")
    found = describe(path, read_adapter(path))
    assert (found.name, found.base, found.architecture, found.rank) == ("Pirate", "Tiny", "llama", tiny_adapters.RANK)
    assert found.size_bytes == path.stat().st_size
    assert len(fingerprint(path)) == 64
    assert describe(path, read_adapter(write(path, general__name=None))).name == "pirate"


def test_one_that_fits_is_taken(tmp_path: Path) -> None:
    model = tiny_models.dense(tmp_path / "model.gguf")
    for made in (pairs(), pairs(vocabulary=VOCABULARY)):
        path = write(tmp_path / "adapter.gguf", made)
        check_fits(path, read_adapter(path), [check_loadable(model)])


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"general__type": "model"}, AdapterMisfit.KIND),
        ({"adapter__type": "control_vector"}, AdapterMisfit.KIND),
        ({"adapter__alora__invocation_tokens": [1, 2]}, AdapterMisfit.KIND),
        ({"general__type": None, "adapter__type": None}, AdapterMisfit.OTHER),
        ({"adapter__lora__alpha": "much"}, AdapterMisfit.BROKEN),
        ({"adapter__lora__alpha": float("nan")}, AdapterMisfit.BROKEN),
    ],
)
def test_other_files_are_refused(metadata: dict[str, object], expected: str, tmp_path: Path) -> None:
    assert reason(refused(write(tmp_path / "a.gguf", **metadata))) == expected


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("no model at all")
    cut = write(tmp_path / "cut.gguf")
    cut.write_bytes(cut.read_bytes()[:-100])
    folder = tmp_path / "folder.gguf"
    folder.mkdir()
    found = [reason(refused(path)) for path in (tmp_path / "gone.gguf", text, cut, folder)]
    assert found == [AdapterMisfit.MISSING, AdapterMisfit.OTHER, AdapterMisfit.BROKEN, AdapterMisfit.UNREADABLE]
    with pytest.raises(AdapterMisfit):
        fingerprint(text)


def test_parts_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    made = dict(pairs())
    half = {f"{name}x": both for name, both in made.items()}
    path = write(tmp_path / "a.gguf", half)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"attn_q.weightx.lora_b", b"attn_q.weightx.lora_c"))
    assert reason(refused(path)) == AdapterMisfit.BROKEN
    path.write_bytes(data.replace(b"attn_q.weightx.lora_b", b"attn_Q.weightx.lora_b"))
    assert reason(refused(path)) == AdapterMisfit.BROKEN
    assert reason(refused(write(path, {}))) == AdapterMisfit.BROKEN


def test_one_for_another_model_is_refused(tmp_path: Path) -> None:
    def misfit(model: Path, make: Callable[[], tiny_adapters.Pairs], architecture: str = "llama") -> AdapterMisfit:
        return refused(write(tmp_path / "a.gguf", make(), architecture=architecture), model)

    dense, sliding = tiny_models.dense(tmp_path / "dense.gguf"), tiny_models.sliding(tmp_path / "sliding.gguf")
    found = misfit(sliding, pairs)
    assert reason(found) == AdapterMisfit.ARCHITECTURE
    assert "made for models of the kind llama, and this model is of the kind gemma2" in found.sentence
    smaller = {name: (a[:, :32], b) for name, (a, b) in pairs().items()}
    assert reason(misfit(dense, lambda: smaller)) == AdapterMisfit.SIZES
    ranks = {name: (a[:2], b) for name, (a, b) in pairs().items()}
    assert reason(misfit(dense, lambda: ranks)) == AdapterMisfit.SIZES
    deeper = {name.replace("blk.3", "blk.4"): both for name, both in pairs().items()}
    assert reason(misfit(dense, lambda: deeper)) == AdapterMisfit.SIZES
    assert reason(misfit(dense, lambda: pairs(vocabulary=VOCABULARY + 1))) == AdapterMisfit.SIZES
    assert reason(misfit(sliding, lambda: pairs(vocabulary=VOCABULARY), "gemma2")) == AdapterMisfit.TIED
