"""Families and counts of parameters, from names and architectures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.hub.families import FAMILIES, MAX_PARAMS, family, family_named, params_from_name


@pytest.mark.parametrize(
    ("name", "architecture", "told", "params"),
    [
        ("bartowski/Llama-3.2-3B-Instruct-GGUF", "llama", "Llama", 3e9),
        ("x/Mixtral-8x7B-v0.1", "llama", "Mistral", 56e9),
        ("x/Ministral-3b", "", "Mistral", 3e9),
        ("x/Devstral-Small-2507", "llama", "Mistral", 0),
        ("Qwen/Qwen3-30B-A3B-GGUF", "qwen3moe", "Qwen", 30e9),
        ("x/QwQ-32B", "qwen2", "Qwen", 32e9),
        ("x/DeepSeek-R1-Distill-Qwen-14B", "qwen2", "DeepSeek", 14e9),
        ("x/gemma-3-270m-it", "gemma3", "Gemma", 270e6),
        ("x/Phi-3.5-mini-instruct", "phi3", "Phi", 0),
        ("x/dolphin-2.9-8b", "llama", "Llama", 8e9),
        ("x/Yi-1.5-9B-Chat", "llama", "Yi", 9e9),
        ("x/Falcon3-7B", "llama", "Falcon", 7e9),
        ("x/OLMo-2-1124-13B", "olmo2", "OLMo", 13e9),
        ("x/gpt-oss-120b", "gpt-oss", "gpt-oss", 120e9),
        ("x/granite-4.0-h-tiny", "granitehybrid", "Granite", 0),
        ("x/SmolLM2-1.7B", "llama", "SmolLM", 1.7e9),
        ("x/c4ai-command-r-v01", "command-r", "Command", 0),
        ("x/Qwen2.5-7B-Instruct-1M", "qwen2", "Qwen", 7e9),
        ("x/TinyLlama-1.1B", "llama", "Llama", 1.1e9),
        ("x/some-finetune-4bit", "qwen3", "Qwen", 0),
        ("x/Kimi-K2-1T", "deepseek2", "Kimi", 1e12),
        ("x/llama.cpp-ollama-tests", "", "Llama", 0),
        ("x/unknown", "", "", 0),
        ("x/philosophy-7b", "", "", 7e9),
    ],
)
def test_from_a_name(name: str, architecture: str, told: str, params: float) -> None:
    assert family(architecture, name) == told
    assert params_from_name(name) == int(params)


def test_the_base_model_tells_when_the_name_does_not() -> None:
    assert family("llama", "someone/my-finetune", "mistralai/Mistral-7B-v0.1") == "Mistral"


def test_the_families_asked_for() -> None:
    names = {one.name for one in FAMILIES}
    assert names >= {
        "Llama", "Mistral", "Qwen", "DeepSeek", "Gemma", "Phi", "Yi", "Falcon", "OLMo", "gpt-oss", "Granite", "SmolLM",
        "Command",
    }  # fmt: skip
    assert family_named(" GPT-OSS ") is not None
    assert family_named("nobody") is None


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_is_answered(name: str, architecture: str) -> None:
    family(architecture, name)
    assert 0 <= params_from_name(name) <= MAX_PARAMS
