"""Frames as bytes: a little-endian u32 length and a msgpack map (msgspec, tagged by `t`). Their sense: protocol.py."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from app.engine.protocol import Command, Event

MAX_FRAME_BYTES = 256 * 1024 * 1024

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_events: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)
_length = struct.Struct("<I")


class FrameError(ValueError):
    """Bytes that are no frame of this protocol: the stream cannot be trusted any more."""


def pack(frame: Command | Event) -> bytes:
    """The bytes of one frame, length included."""
    body = _encoder.encode(frame)
    return _length.pack(len(body)) + body


def unpack_command(body: bytes) -> Command:
    """Raises FrameError for anything that is not a command."""
    try:
        return _commands.decode(body)
    except msgspec.MsgspecError as error:
        raise FrameError(str(error)) from error


def unpack_event(body: bytes) -> Event:
    """Raises FrameError for anything that is not an event."""
    try:
        return _events.decode(body)
    except msgspec.MsgspecError as error:
        raise FrameError(str(error)) from error


def read_bodies(stream: BinaryIO) -> Iterator[bytes]:
    """The bodies of the frames of a blocking stream, until its end. A stream cut inside a frame simply ends.

    Raises FrameError for a length above MAX_FRAME_BYTES.
    """
    while len(head := _read_exactly(stream, _length.size)) == _length.size:
        (size,) = _length.unpack(head)
        if size > MAX_FRAME_BYTES:
            raise FrameError(f"a frame of {size} bytes")
        body = _read_exactly(stream, size)
        if len(body) < size:
            return
        yield body


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
