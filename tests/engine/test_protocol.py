"""Frames: what is packed is unpacked, and no bytes whatever do more than raise FrameError."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine import protocol, wire
from app.engine.values import PromptMessage, Sampling


def bodies(data: bytes) -> list[bytes]:
    return list(wire.read_bodies(io.BytesIO(data)))


def test_commands_survive_the_wire() -> None:
    sent = protocol.Generate(
        id=7,
        sequence="s",
        messages=[PromptMessage(role="user", content="grüß dich 🙂", token_ids=[1, 2])],
        sampling=Sampling(temperature=0, seed=3),
        stop=["\n\n"],
        template_options={"enable_thinking": False},
    )
    assert wire.unpack_command(bodies(wire.pack(sent))[0]) == sent


@given(st.integers(), st.floats(allow_nan=False), st.text())
def test_events_survive_the_wire(number: int, fraction: float, text: str) -> None:
    number %= 1 << 31
    events: list[protocol.Event] = [
        protocol.Progress(id=number, phase="load", done=fraction, total=1.0),
        protocol.Delta(id=number, text=text, token_ids=[number]),
        protocol.Failed(id=number, code=text, numbers={"n": number}),
    ]
    stream = b"".join(map(wire.pack, events))
    assert [wire.unpack_event(body) for body in bodies(stream)] == events


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_politely(data: bytes) -> None:
    for unpack in (wire.unpack_command, wire.unpack_event):
        try:
            unpack(data)
        except wire.FrameError:
            pass


def test_an_event_is_no_command() -> None:
    with pytest.raises(wire.FrameError):
        wire.unpack_command(bodies(wire.pack(protocol.Pong(n=1)))[0])


def test_a_stream_cut_inside_a_frame_ends() -> None:
    frame = wire.pack(protocol.Ping(n=1))
    for cut in range(1, len(frame)):
        assert bodies(frame + frame[:cut]) == [frame[4:]]


def test_a_length_beyond_the_limit_is_an_error_before_memory_is_taken() -> None:
    with pytest.raises(wire.FrameError):
        bodies(struct.pack("<I", wire.MAX_FRAME_BYTES + 1))
