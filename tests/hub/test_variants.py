"""Files of a repository, arranged for a choice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.hub.values import RemoteFile
from app.hub.variants import arrange, bits_per_weight, nominal_bits, pick, quality


def _files(*paths: str, size: int = 1000) -> list[RemoteFile]:
    return [RemoteFile(path=path, size_bytes=size) for path in paths]


def test_shards_are_one_variant_in_order() -> None:
    shards = [f"Q8_0/x-Q8_0-{n:05d}-of-00003.gguf" for n in (3, 1, 2)]
    (variant,) = arrange(_files(*shards)).variants
    assert [file.path for file in variant.files] == sorted(shards)
    assert (variant.label, variant.name, variant.size_bytes) == ("Q8_0", "Q8_0", 3000)


@pytest.mark.parametrize("numbers", [(1,), (2,), (1, 3), (0, 1, 2), (1, 2, 4), (5,)])
def test_incomplete_sets_are_left_out_with_a_reason(numbers: tuple[int, ...]) -> None:
    arranged = arrange(_files(*(f"x-Q8_0-{n:05d}-of-00003.gguf" for n in numbers), "x-Q4_0.gguf"))
    assert [variant.label for variant in arranged.variants] == ["Q4_0"]
    (left,) = arranged.left_out
    assert "of its 3 parts are there" in left.reason


def test_a_set_of_very_many_parts_costs_nothing() -> None:
    (left,) = arrange(_files("x-00001-of-99999.gguf")).left_out
    assert left.reason == "Only 1 of its 99,999 parts are there."


def test_a_split_and_a_whole_file_of_one_name_are_two_variants() -> None:
    arranged = arrange(_files("x-Q8_0.gguf", "x-Q8_0-00001-of-00001.gguf"))
    assert len({variant.name for variant in arranged.variants}) == 2


def test_equal_labels_are_told_apart() -> None:
    arranged = arrange(_files("a/x-Q4_K_M.gguf", "b/x-Q4_K_M.gguf", "y-Q4_K_M.gguf", "x-UD-Q4_K_M.gguf", "plain.gguf"))
    names = {variant.files[0].path: variant.name for variant in arranged.variants}
    assert names == {
        "a/x-Q4_K_M.gguf": "a/x-Q4_K_M",
        "b/x-Q4_K_M.gguf": "b/x-Q4_K_M",
        "y-Q4_K_M.gguf": "y-Q4_K_M",
        "x-UD-Q4_K_M.gguf": "UD-Q4_K_M",
        "plain.gguf": "plain",
    }


def test_what_is_no_model_stands_apart() -> None:
    arranged = arrange(_files("README.md", "mmproj-F16.gguf", "imatrix.dat", "eagle3-x-Q8_0.gguf", "x-Q8_0.gguf"))
    assert len(arranged.variants) == len(arranged.projectors) == 1
    assert [file.path for file in arranged.others] == ["imatrix.dat", "eagle3-x-Q8_0.gguf"]
    assert not arranged.left_out


def test_names_that_one_disk_cannot_keep_together() -> None:
    arranged = arrange(_files("Model-Q4_0.gguf", "model-q4_0.gguf"))
    assert len(arranged.variants) == 1
    assert "upper and lower case" in arranged.left_out[0].reason


def test_what_a_person_means() -> None:
    variants = arrange(
        _files("x-Q8_0.gguf", "x-Q4_K_M.gguf", "UD/x-UD-Q4_K_XL.gguf", "a-Q2_K.gguf", "b-Q2_K.gguf")
    ).variants

    def meant(wanted: str) -> str:
        found = pick(variants, wanted)
        return found.files[0].path if found else ""

    assert meant("") == meant("q4_k_m") == meant(" Q4_K_M ") == meant("x-Q4_K_M.gguf") == "x-Q4_K_M.gguf"
    assert meant("ud-q4_k_xl") == meant("UD/x-UD-Q4_K_XL.gguf") == "UD/x-UD-Q4_K_XL.gguf"
    assert meant("a-Q2_K") == "a-Q2_K.gguf"
    assert meant("Q2_K") == meant("Q5_K_M") == meant("nonsense") == ""
    few = arrange(_files("x-Q8_0.gguf", "x-Q2_K.gguf")).variants
    assert pick(few) == next(one for one in few if one.label == "Q8_0")
    rare = arrange(_files("x-IQ4_XS.gguf", "x-Q2_K.gguf", "x-F16.gguf")).variants
    assert pick(rare) == next(one for one in rare if one.label == "IQ4_XS")
    assert pick(()) is None


def test_bits_per_weight() -> None:
    assert bits_per_weight(5_027_783_488, 8_190_735_360, "Q4_K_M") == pytest.approx(4.91, abs=0.01)
    assert bits_per_weight(5_000, 0, "Q4_K_M") == nominal_bits("Q4_K_M")
    assert bits_per_weight(400_000_000, 70_000_000_000, "Q8_0") == nominal_bits("Q8_0")  # another, smaller model
    assert bits_per_weight(5_000, 0, "") == 0


@pytest.mark.parametrize(
    "label", ["Q8_K_XL", "Q6_K_L", "Q4_K_L", "Q3_K", "Q2_K_XL", "UD-Q4_K_XL", "Q4", "IQ1_S", "Q5_K", "MXFP4_MOE"]
)
def test_every_label_has_usual_bits(label: str) -> None:
    digit = next(int(one) for one in label if one.isdigit())
    assert digit <= nominal_bits(label) <= digit + 1.3


def test_quality_in_plain_words() -> None:
    words = [
        quality(label, 0)
        for label in ("BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "IQ2_M", "TQ1_0")
    ]
    assert words == [
        "Closest to the original",
        "Closest to the original",
        "Hard to tell apart",
        "Very slight loss",
        "Best balance",
        "Best balance",
        "Loses some detail",
        "Often wrong",
        "Often wrong",
    ]
    assert quality("MXFP4", 4.25, "gpt-oss") == "Closest to the original"
    assert quality("MXFP4", 4.25, "qwen3moe") == "Best balance"
    assert quality("TQ2_0", 2.06, "bitnet") == "Closest to the original"
    assert quality("model", 8.5) == "Closest to the original"
    assert quality("model", 2.6) == "Often wrong"
    assert quality("model", 0) == ""


_paths = st.text(max_size=30).map(lambda text: text + ".gguf") | st.builds(
    "{}-{:05d}-of-{:05d}.gguf".format, st.sampled_from(["a", "b/a-Q4_0", ""]), st.integers(0, 5), st.integers(0, 4)
)


@settings(deadline=None)
@given(
    st.lists(st.builds(RemoteFile, path=_paths, size_bytes=st.integers(-1, 1 << 50)), max_size=12),
    st.integers(0, 10**14),
)
def test_every_model_file_is_somewhere_once(files: list[RemoteFile], params: int) -> None:
    arranged = arrange(files, params)
    offered = [file for variant in arranged.variants for file in variant.files]
    assert len(offered) == len({file.path for file in offered})
    assert all(file.size_bytes > 0 for file in offered)
    names = [variant.name for variant in arranged.variants]
    assert len(names) == len(set(names))
    sizes = [variant.size_bytes for variant in arranged.variants]
    assert sizes == sorted(sizes, reverse=True)
