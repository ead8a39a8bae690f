"""What the pictures show of a model's window: a conversation of eleven turns in three fills, and a very long one."""

from __future__ import annotations

import msgspec

from app.chat.context_view import ContextEntry, ContextView, Policy, Standing
from app.chat.messages import Message, ReplyState, Role
from tests.screenshots import content

NOTE = (
    "The office has 140 m² on two floors, built 1974, gas boiler from 2009, flow temperature 45 °C after the radiators "
    "were changed in 2021. Bills of 2024: 18,600 kWh of gas. Wishes: no noise towards the yard, one supplier, done "
    "before October. Open: whether the grant needs an energy adviser, and who pays for the electrician."
)
TURNS = (
    ("What should I ask the installer first?", "Ask for the heat load per room, then for the flow temperature.", 260),
    ("Which rooms lose most?", "The two at the gable. Their walls are not insulated.", 540),
    ("Is 45 °C enough for them?", "With the radiators of 2021, down to −8 °C outside.", 610),
    ("And the noise?", "35 dB(A) at the neighbours' window is what the rules allow at night.", 480),
    ("Can we keep the gas boiler for the cold days?", "Yes, as a hybrid, but the standing charge stays.", 700),
    ("What does the standing charge come to?", "About € 190 a year on your bills.", 530),
    ("Compare the three quotes.", "The second leaves out the buffer tank, which the others include.", 890),
    ("What is missing in the third?", "Hydraulic balancing, and the grant wants it.", 720),
    ("Write a polite mail about it.", "Dear Mr Brandt, thank you for your quote.", 640),
    ("Shorter, please.", "Dear Mr Brandt, one question about your quote.", 410),
)


def turns() -> list[Message]:
    """The ten turns before the one that every picture shows."""
    made: list[Message] = []
    for number, (question, answer, _) in enumerate(TURNS, 1):
        parent = made[-1].id if made else None
        made.append(Message(id=f"q{number}", conversation_id="", parent_id=parent, role=Role.USER, text=question))
        reply = Message(
            id=f"a{number}",
            conversation_id="",
            parent_id=f"q{number}",
            role=Role.ASSISTANT,
            text=answer,
            facts=content.reply_facts(thinking_s=0.0),
        )
        made.append(reply)
    last = [msgspec.structs.replace(m, parent_id=made[-1].id if m.id == "m1" else m.parent_id) for m in content.done()]
    return [*made, *last]


def _entry(
    message_id: str, role: str, turn: int, excerpt: str, tokens: int, standing: Standing, kind: str = "message"
) -> ContextEntry:
    return ContextEntry(
        message_id=message_id, kind=kind, role=role, turn=turn, excerpt=excerpt, standing=standing,
        tokens=tokens if standing.seen or kind == "note" else 0, own_tokens=tokens,
    )  # fmt: skip


def _view(standings: dict[int, Standing], *, note: int = 0, draft: int = 0, **more: object) -> ContextView:
    """Turns stand as `standings` says, else they are kept; `note` tokens stand in for those summarised."""
    entries = [_entry("", "system", 0, "", 312, Standing.KEPT, "instructions")]
    if note:
        entries.append(_entry("", "system", 0, NOTE[:80], note, Standing.SUMMARISED, "note"))
    for number, (question, answer, tokens) in enumerate(TURNS, 1):
        standing = standings.get(number, Standing.KEPT)
        asked = standings.get(-number, standing)
        entries.append(_entry(f"q{number}", "user", number, question, tokens // 4, asked))
        entries.append(_entry(f"a{number}", "assistant", number, answer, tokens - tokens // 4, standing))
    last = len(TURNS) + 1
    entries.append(_entry("m1", "user", last, content.QUESTION[:80], 44, standings.get(last, Standing.KEPT)))
    entries.append(_entry("m2", "assistant", last, "Probably yes, in about nine years", 468, Standing.KEPT))
    if draft:
        entries.append(_entry("", "user", last + 1, "And if the price of electricity doubles?", draft, Standing.KEPT))
    view = ContextView(
        conversation_id="c1", model_name="Qwen3-8B", limit=8192, used=sum(entry.tokens for entry in entries),
        reserve=512, entries=tuple(entries), exact=True,
    )  # fmt: skip
    return msgspec.structs.replace(view, **more)


def roomy() -> ContextView:
    """Two thirds are used."""
    used = _view({}).used
    return _view({}, limit=16384, cached=used - 44)


def nearly_full() -> ContextView:
    """A note for six turns, one message pinned, a turn trimmed, a reply left out; a longer window is offered."""
    standings = dict.fromkeys(range(1, 7), Standing.SUMMARISED)
    standings |= {7: Standing.TRIMMED, -3: Standing.PINNED, 9: Standing.OUTSIDE, -9: Standing.KEPT}
    return msgspec.structs.replace(
        _view(standings, note=240, draft=9),
        note=NOTE,
        limit=4096,
        policy=Policy.SUMMARISE,
        grow_to=8192,
        grow_bytes=640_000_000,
        cached=1800,
    )


def overflowing() -> ContextView:
    """Nothing leaves by itself, and it no longer fits."""
    return msgspec.structs.replace(
        _view({}), limit=4096, policy=Policy.ASK, needs_choice=True, grow_to=8192, grow_bytes=640_000_000
    )


def summarising() -> ContextView:
    """The note is being written."""
    return msgspec.structs.replace(overflowing(), policy=Policy.SUMMARISE, needs_choice=False, summarising=True)


def seen() -> ContextView:
    """What the model saw for the reply in the picture."""
    standings = dict.fromkeys(range(1, 6), Standing.TRIMMED)
    view = _view(standings, limit=4096)
    entries = tuple(entry for entry in view.entries if entry.message_id != "m2")
    return msgspec.structs.replace(view, entries=entries, used=view.used - 468)


def endless(turns: int = 5000) -> ContextView:
    """Ten thousand messages, of which a window of 8k holds the last few."""
    entries = [_entry("", "system", 0, "", 312, Standing.KEPT, "instructions")]
    kept = turns - 14
    for turn in range(1, turns + 1):
        standing = Standing.KEPT if turn > kept else Standing.TRIMMED
        far = turn < turns - 60
        entries.append(_entry(f"q{turn}", "user", turn, "" if far else f"Question {turn}", 120, standing))
        entries.append(_entry(f"a{turn}", "assistant", turn, "" if far else f"Answer {turn}", 380, standing))
    used = sum(entry.tokens for entry in entries)
    return ContextView(
        conversation_id="c1", model_name="Qwen3-8B", limit=8192, used=used, reserve=512, entries=tuple(entries),
        exact=True,
    )  # fmt: skip


def refused(code: str, sentence: str) -> list[Message]:
    """A reply that was not written because the window is too small."""
    facts = content.reply_facts(generation=None, error_code=code, error_sentence=sentence)
    return content.turn(ReplyState.FAILED, "", thinking="", facts=facts)
