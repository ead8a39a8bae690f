"""Which libraries of a llama.cpp wheel are laid out, and how builds are told apart."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.scripts.loading import script

native = script("native")

NATIVE = [
    "llama_cpp/lib/libllama.so", "llama_cpp/lib/libllama.so.0", "llama_cpp/lib/libllama.so.0.5.0", "lib/libllama.so",
    "llama_cpp/lib/libggml.so", "llama_cpp/lib/libggml.so.0", "llama_cpp/lib/libggml-base.so.0",
    "llama_cpp/lib/libggml-cpu.so", "llama_cpp/lib/libggml-cpu.so.0", "llama_cpp/lib/libmtmd.so", "lib/libggml-cpu.so",
    "llama_cpp/llama_cpp.py",
]  # fmt: skip
PORTABLE = [
    "llama_cpp/lib/libllama.so", "llama_cpp/lib/libggml.so.0", "llama_cpp/lib/libggml-base.so.0",
    "bin/libggml-cpu-x64.so", "bin/libggml-cpu-zen4.so", "bin/libggml-rpc.so", "lib/libggml-base.so",
    "bin/libggml-vulkan.so", "lib/libllama-common.so.0", "bin/libggml-cpu-sapphirerapids.so",
]  # fmt: skip


def laid_out(tmp_path: Path, names: list[str]) -> list[str]:
    wheel = tmp_path / "wheel.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return [path.name for path in native.lay_out(wheel, tmp_path / "libraries")]


def test_each_library_of_a_native_build_once(tmp_path: Path) -> None:
    assert laid_out(tmp_path, NATIVE) == ["libggml-base.so.0", "libggml-cpu.so.0", "libggml.so.0", "libllama.so"]


def test_the_backends_of_a_portable_build_lie_beside_it(tmp_path: Path) -> None:
    assert laid_out(tmp_path, PORTABLE) == [
        "libggml-base.so.0", "libggml-cpu-x64.so", "libggml-cpu-zen4.so", "libggml-rpc.so",
        "libggml-vulkan.so", "libggml.so.0", "libllama.so",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["llama_cpp/lib/llama.dll", "llama_cpp/lib/ggml.dll", "bin/ggml-cpu-haswell.dll"])
def test_windows_names(name: str) -> None:
    assert native.is_loaded(name)


def test_packages_are_not_built_for_this_machine() -> None:
    flags = native.portable_flags("vulkan")
    assert "GGML_NATIVE=OFF" in flags
    assert "GGML_RPC=ON" in flags
    assert "GGML_VULKAN=ON" in flags
    assert "GGML_CUDA_NCCL=OFF" in native.portable_flags("cuda")
    cpu = "-DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DGGML_NATIVE=OFF -DGGML_RPC=ON"
    assert native.portable_flags("cpu") == cpu  # the key of the kept wheel


def test_every_pinned_name_is_found() -> None:
    assert native.requirement().startswith("llama-cpp-python==")
