"""What the pictures show: a conversation with everything a reply can hold, a list of conversations, search hits."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.chat.messages import Message, ReplyFacts, ReplyState, Role, SearchHit
from app.engine.values import GenerationFacts, ModelFile
from tests.support.fake_application import FakeApplication, starter

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


HOME = Path("/home/me/.local/share/inglenook")
