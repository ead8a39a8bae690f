"""What the pictures show: a conversation with everything a reply can hold, a list of conversations, search hits."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.chat.messages import Message, ReplyFacts, ReplyState, Role, SearchHit
from app.engine.values import AdapterFile, GenerationFacts, ModelFile, Origin
from app.hub.values import Capability, Download, DownloadState, ModelPage, ModelSummary, RemoteFile, Variant
from app.hub.variants import quality
from app.privacy.ledger import LedgerEntry, Outcome
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter

QUESTION = (
    "We heat a 140 m² office with gas. Would a heat pump pay for itself? Keep it short, and give me a small script "
    "so that I can try our own numbers."
)
ANSWER = """\
Probably yes, in **about nine years** at the prices on your bills, and sooner if the boiler needs replacing \
anyway. Three things decide it:

- **The price ratio.** Electricity below three times the price of gas. Yours is 2.6.
- **The flow temperature.** Radiators that manage at 45 °C keep `cop` near 3.
- **The grant.** I left it out, because the quote does not mention one.

### Side by side

| | Gas boiler | Heat pump |
|---|---:|---:|
| **Energy used, kWh a year** | 21,379 | 6,305 |
| **Running cost a year** | € 2,352 | € 1,828 |

```python
price_gas, price_el = 0.11, 0.29   # € per kWh
need, boiler_eff, cop = 18_600, 0.87, 2.95   # kWh, efficiency
gas  = need / boiler_eff * price_gas
pump = need / cop * price_el
print(f"Saves € {gas - pump:,.0f} a year")
```

"""
END = "Start with `cop`: it moves the result most. At 2.6 the saving falls to about"
THINKING = (
    "The question has two parts: whether it pays, and a script. The bills give the price of gas and of electricity, "
    "so the ratio is known.\n\nNine years is the quotient of the price difference and the yearly saving."
)
DAY_MS = 86_400_000


def qwen() -> ModelFile:
    """A larger model of the person's own."""
    return starter(
        id="qwen",
        path="/home/me/models/Qwen3-8B-Q4_K_M.gguf",
        name="Qwen3-8B",
        quantization="Q4_K_M",
        size_bytes=5_030_000_000,
        n_params=8_190_000_000,
        is_starter=False,
        license="Apache-2.0",
    )


def large() -> ModelFile:
    """One that is larger than a usual card."""
    return starter(
        id="large",
        path="/home/me/models/Qwen3-14B-Q4_K_M.gguf",
        name="Qwen3-14B",
        quantization="Q4_K_M",
        size_bytes=9_002_000_000,
        n_params=14_768_000_000,
        n_ctx_train=40_960,
        is_starter=False,
    )


def reply_facts(**more: object) -> ReplyFacts:
    """How a finished reply came to be."""
    generation = GenerationFacts(
        prompt_tokens=2688,
        cached_tokens=2600,
        completion_tokens=468,
        prompt_s=0.31,
        decode_s=12.4,
        ttft_s=0.34,
        seed=7,
        finish_reason="stop",
    )
    facts = ReplyFacts(model_id="qwen", model_name="Qwen3-8B", n_ctx=8192, generation=generation, thinking_s=12.2)
    return msgspec.structs.replace(facts, **more)


def turn(state: ReplyState, text: str, *, facts: ReplyFacts | None = None, thinking: str = THINKING) -> list[Message]:
    """A question and its reply."""
    user = Message(id="m1", conversation_id="", parent_id=None, role=Role.USER, text=QUESTION)
    reply = Message(
        id="m2",
        conversation_id="",
        parent_id="m1",
        role=Role.ASSISTANT,
        text=text,
        thinking=thinking,
        state=state,
        facts=facts,
    )
    return [user, reply]


def done() -> list[Message]:
    """A turn that ended well."""
    return turn(ReplyState.DONE, ANSWER + END + " € 277 a year.", facts=reply_facts())


def fill(application: FakeApplication, messages: list[Message], now_ms: int) -> str:
    """The list of conversations with the given one on top; returns its id."""
    conversations = application.conversations
    titles = (
        ("Holiday rota, fair split", 3_600_000),
        ("Explain this stack trace", 7_200_000),
        ("Minutes, 14 May", DAY_MS),
        ("Names for a sourdough", DAY_MS + 1000),
        ("Regex for postcodes", DAY_MS + 2000),
        ("Letter to the council", 4 * DAY_MS),
        ("What a small model is good for, and what it is not, in plain words", 9 * DAY_MS),
    )
    conversation_id = conversations.add("Heat pump or gas?", messages)
    conversations.other_wordings["m2"] = ["m2a"]
    for title, age_ms in titles:
        conversations.add(title, age_ms=age_ms)
    newest_ms = conversations.rows[conversation_id].updated_ms
    for key, row in list(conversations.rows.items()):
        age_ms = row.updated_ms - newest_ms
        conversations.rows[key] = msgspec.structs.replace(row, updated_ms=now_ms + age_ms)
    conversations.hits = [
        hit(conversation_id, "Heat pump or gas?", None, "Heat pump or gas?", "Heat"),
        hit(conversation_id, "Heat pump or gas?", "m1", QUESTION, "heat pump"),
        hit(
            "c2",
            "Holiday rota, fair split",
            "x",
            "Whoever takes the heat of August gets first pick at Christmas.",
            "heat",
        ),
        hit("c8", "Letter to the council", "y", "The vents blow heat onto the pavement all winter.", "heat"),
    ]
    return conversation_id


def hit(conversation_id: str, title: str, message_id: str | None, snippet: str, mark: str) -> SearchHit:
    """A search hit with one mark."""
    at = snippet.index(mark)
    return SearchHit(
        conversation_id=conversation_id,
        title=title,
        message_id=message_id,
        snippet=snippet,
        marks=[(at, at + len(mark))],
        updated_ms=0,
    )


def ledger(now_ms: int) -> list[LedgerEntry]:
    """What a few days of looking for models leave behind, and one thing that was refused."""
    search, versions, download = "Search for “llama 3b”", "Versions of Llama 3.2 3B", "Download Llama 3.2 3B, Q4_K_M"
    refused = "Inglenook is set to work offline. Switch it online first."
    rows = (
        (
            60_000,
            "huggingface.co",
            "Search for “a model that reads handwriting of the 19th century”",
            0,
            0,
            refused,
        ),
        (3_600_000, "localhost:8180", "Check the connection", 3_200, 4_100, ""),
        (DAY_MS, "us.aws.cdn.hf.co", download, 900, 2_019_000_000, ""),
        (DAY_MS + 30_000, "huggingface.co", versions, 640, 18_200, ""),
        (DAY_MS + 90_000, "huggingface.co", search, 640, 42_000, ""),
        (40 * DAY_MS, "huggingface.co", search, 320, 0, "huggingface.co did not answer in time."),
    )
    return [
        LedgerEntry(
            id=f"l{number}",
            action_id=f"a{number}",
            purpose="search",
            what=what,
            host=host,
            first_ms=now_ms - age_ms,
            last_ms=now_ms - age_ms,
            requests=1,
            sent_bytes=sent,
            received_bytes=received,
            outcome=Outcome.REFUSED if reason == refused else Outcome.FAILED if reason else Outcome.ALLOWED,
            local=host.startswith("localhost"),
            reason=reason,
        )
        for number, (age_ms, host, what, sent, received, reason) in enumerate(rows)
    ]


def repository() -> ModelPage:
    """A model of the Hub with six versions."""
    sizes = (
        ("Q8_0", 8_709_000_000, 8.5),
        ("Q6_K", 6_725_000_000, 6.56),
        ("Q5_K_M", 5_851_000_000, 5.7),
        ("Q4_K_M", 5_027_000_000, 4.89),
        ("Q3_K_M", 4_124_000_000, 4.0),
        ("Q2_K", 3_281_000_000, 3.16),
    )
    variants = tuple(
        Variant(
            label=label,
            name=label,
            files=(RemoteFile(path=f"Qwen3-8B-{label}.gguf", size_bytes=size, sha256="0" * 64),),
            bits_per_weight=bits,
            quality=quality(label, bits),
        )
        for label, size, bits in sizes
    )
    summary = ModelSummary(
        repo="Qwen/Qwen3-8B-GGUF",
        params=8_190_735_360,
        architecture="qwen3",
        context_length=40_960,
        license="apache-2.0",
        base_model="Qwen/Qwen3-8B",
        downloads=120_000,
        likes=321,
        updated_ms=1_746_500_000_000,
        capabilities=(Capability.TOOLS, Capability.REASONING),
    )
    return ModelPage(
        summary=summary,
        commit="1" * 40,
        variants=variants,
        license_name="Apache 2.0",
        license_words="You may do nearly anything with it, also for money, if you keep its notices.",
        license_link="https://www.apache.org/licenses/LICENSE-2.0",
    )


CARD = """\
<div align="center">
<img src="https://example.org/banner.png" alt="Qwen3 banner" width="400"/>
</div>

# Qwen3 8B

Qwen3 is the newest generation of **large language models** of the Qwen series. It \
[thinks first](https://example.org), if asked, with `enable_thinking=True`.

## What is in it

- 8.2 billion parameters, 36 layers
- a context of 32,768 tokens, and **131,072** with YaRN

| Benchmark | Thinking | Not thinking |
|---|---:|---:|
| Sums | 87.5 | 61.2 |
| Code | 74.1 | 58.3 |

```shell
inglenook models pull Qwen/Qwen3-8B-GGUF:Q4_K_M
```

> Temperature 0.6 suits thinking best.
"""


def found() -> list[ModelSummary]:
    """What a search brings."""
    names = (
        ("unsloth/Qwen3-8B-GGUF", 8_190_735_360, (Capability.TOOLS, Capability.REASONING), ""),
        ("ggml-org/gemma-3-12b-it-GGUF", 11_765_788_416, (Capability.VISION,), "manual"),
        ("bartowski/Llama-3.2-3B-Instruct-GGUF", 3_212_749_888, (Capability.TOOLS,), ""),
        ("someone/A-model-with-a-name-that-is-a-good-deal-longer-than-the-list-is-wide-GGUF", 0, (), ""),
        ("Qwen/Qwen2.5-Coder-7B-Instruct-GGUF", 7_615_616_512, (), ""),
    )
    return [
        ModelSummary(
            repo=repo, params=params, capabilities=able, gated=gated, downloads=120_000 // (number + 1), likes=321
        )
        for number, (repo, params, able, gated) in enumerate(names)
    ]


def downloads(now_ms: int) -> list[Download]:
    """A queue with something in every state."""
    rows = (
        ("Qwen/Qwen3-8B-GGUF", "Q4_K_M", 5_027_000_000, 3_117_000_000, DownloadState.RUNNING, ""),
        ("ggml-org/gemma-3-12b-it-GGUF", "Q4_K_M", 7_301_000_000, 7_301_000_000, DownloadState.CHECKING, ""),
        ("unsloth/Phi-4-mini-instruct-GGUF", "Q5_K_M", 2_848_000_000, 513_000_000, DownloadState.PAUSED, ""),
        ("unsloth/Mistral-Small-3.2-24B-GGUF", "Q3_K_M", 11_500_000_000, 0, DownloadState.WAITING, ""),
        ("bartowski/Llama-3.2-3B-Instruct-GGUF", "Q4_K_M", 2_019_000_000, 2_019_000_000, DownloadState.DONE, ""),
        ("Qwen/Qwen2.5-Coder-7B-Instruct-GGUF", "Q6_K", 6_254_000_000, 0, DownloadState.FAILED,
         "Fingerprint did not match; file removed"),
    )  # fmt: skip
    return [
        Download(
            id=f"d{number}",
            endpoint="https://huggingface.co",
            repo=repo,
            commit="1" * 40,
            label=label,
            files=(RemoteFile(path=f"{label}.gguf", size_bytes=size, sha256="0" * 64),),
            folder="/models",
            state=state,
            position=number,
            done_bytes=done,
            finished_ms=now_ms if state in (DownloadState.DONE, DownloadState.FAILED) else 0,
            sentence=sentence,
        )
        for number, (repo, label, size, done, state, sentence) in enumerate(rows)
    ]


def shelf() -> list[ModelFile]:
    """Models of the person's own, of other programs, one away, one broken."""
    return [
        msgspec.structs.replace(qwen(), repo="Qwen/Qwen3-8B-GGUF", remote_path="Qwen3-8B-Q4_K_M.gguf"),
        starter(
            id="gemma", path="/home/me/.lmstudio/models/ggml-org/gemma-3-12b-it-Q4_K_M.gguf", name="gemma-3-12b-it",
            quantization="Q4_K_M", architecture="gemma3", size_bytes=7_301_000_000, n_params=11_765_788_416,
            is_starter=False, license="gemma", origin=Origin.LM_STUDIO, n_ctx_train=131_072,
            projector="/home/me/.lmstudio/models/ggml-org/mmproj-gemma-3-12b-it-F16.gguf",
        ),
        starter(
            id="llama", path="/home/me/.ollama/models/blobs/sha256-dde5aa3fc5ff", name="llama3.2:3b",
            quantization="Q4_K_M", size_bytes=2_019_000_000, n_params=3_212_749_888, is_starter=False,
            license="llama3.2", origin=Origin.OLLAMA,
        ),
        starter(
            id="away", path="/media/archive/Mistral-Small-3.2-24B-Q4_K_M.gguf", name="Mistral Small 3.2 24B",
            quantization="Q4_K_M", size_bytes=14_334_000_000, n_params=23_572_403_200, is_starter=False,
            origin=Origin.FOLDER, away=True, problem="The folder or drive it lies on is not there now.",
        ),
        starter(
            id="broken", path="/home/me/Downloads/phi-4-mini.gguf", name="phi-4-mini", quantization="Q5_K_M",
            size_bytes=1_204_000_000, is_starter=False, origin=Origin.FILE,
            problem="The file is shorter than its header says. Download it again.",
        ),
        starter(origin=Origin.STARTER),
    ]  # fmt: skip


HOME = Path("/home/me/.local/share/inglenook")


def adapters() -> list[AdapterFile]:
    """One that fits, one for another model, and one of another kind."""
    return [
        AdapterFile(
            path="/home/me/models/legal-plain-words.gguf", name="Plain words for letters", architecture="qwen3",
            base="Qwen3 8B", rank=16, size_bytes=87_000_000,
        ),
        AdapterFile(
            path="/home/me/models/minutes.gguf", name="minutes-of-meetings-v3", architecture="llama", rank=8,
            size_bytes=42_000_000,
            problem="The adapter minutes.gguf was made for models of the kind llama, and this model is of the kind "
            "qwen3.",
        ),
        AdapterFile(
            path="/home/me/models/steer.gguf", name="steer",
            problem="The adapter steer.gguf is of another kind (control_vector) than the LoRA adapters that Inglenook "
            "can use.",
        ),
    ]  # fmt: skip
