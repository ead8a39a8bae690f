"""Repositories for a Hub on loopback, small in bytes and true in shape. Sizes that matter are sparse files."""

from __future__ import annotations

from pathlib import Path

from tests.support.hub.repository import HubFile, Repository

TEMPLATE_WITH_TOOLS = "{% if tools %}{{ tools }}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}<think>"
CARD = """---
license: apache-2.0
base_model: acme/Qwen3-8B
---

# Qwen3 8B

A model card with [a link](https://example.org) and ![a picture](https://example.org/x.png).
"""


def sparse(folder: Path, name: str, size_bytes: int) -> HubFile:
    """A file of this size that takes no room, with a sha256 that nobody has to compute."""
    path = folder / name.replace("/", "_")
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return HubFile(name, path, sha256=f"{abs(size_bytes):064x}")


def qwen(folder: Path) -> Repository:
    """A repository as the large quantizers upload them: several quantizations, one of them split, a projector, more."""
    sizes = {
        "Qwen3-8B-Q8_0.gguf": 8_709_000_000,
        "Qwen3-8B-Q6_K.gguf": 6_725_000_000,
        "Qwen3-8B-Q4_K_M.gguf": 5_027_000_000,
        "Qwen3-8B-UD-Q4_K_XL.gguf": 5_140_000_000,
        "Qwen3-8B-Q2_K.gguf": 3_281_000_000,
        "BF16/Qwen3-8B-BF16-00001-of-00002.gguf": 9_900_000_000,
        "BF16/Qwen3-8B-BF16-00002-of-00002.gguf": 6_480_000_000,
        "Q5_K_M/Qwen3-8B-Q5_K_M-00002-of-00002.gguf": 2_900_000_000,
        "mmproj-F16.gguf": 1_160_000_000,
        "imatrix_unsloth.dat": 5_300_000,
        "mtp-Qwen3-8B-Q8_0.gguf": 700_000_000,
    }
    files: dict[str, object] = {name: sparse(folder, name, size) for name, size in sizes.items()}
    files["config.json"] = b'{"model_type": "qwen3"}'
    return Repository(
        id="acme/Qwen3-8B-GGUF",
        files=files,
        tags=("license:apache-2.0", "conversational"),
        base_model="acme/Qwen3-8B",
        card=CARD,
        gguf={
            "total": 8_190_735_360,
            "architecture": "qwen3",
            "context_length": 40_960,
            "chat_template": TEMPLATE_WITH_TOOLS,
        },
        downloads=120_000,
        likes=321,
        trending=55,
        last_modified="2026-05-06T07:08:09.000Z",
    )


def crowd(count: int) -> list[Repository]:
    """Many small repositories of a few families and sizes, each with one tiny file."""
    kinds = (
        ("Llama-3.2-3B", "llama", 3_212_749_888, "llama3.2"),
        ("gemma-3-4b-it", "gemma3", 3_880_099_328, "gemma"),
        ("Mistral-7B-v0.3", "llama", 7_248_023_552, "apache-2.0"),
        ("Phi-4-mini", "phi3", 3_836_021_856, "mit"),
    )
    repositories = []
    for number in range(count):
        name, architecture, total, terms = kinds[number % len(kinds)]
        repositories.append(
            Repository(
                id=f"crowd{number % 7}/{name}-n{number:04d}-GGUF",
                files={f"{name}-Q4_K_M.gguf": b"GGUF"},
                tags=(f"license:{terms}",),
                gguf={"total": total, "architecture": architecture, "context_length": 8192},
                downloads=count - number,
                likes=number,
                trending=number % 13,
                gated="manual" if number % 10 == 0 else "",
                pipeline_tag="image-text-to-text" if architecture == "gemma3" else "text-generation",
                created_at=f"2026-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
            )
        )
    return repositories
