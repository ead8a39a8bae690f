"""What a scripted worker (fake.py) is told to do. Values only, read from JSON; unknown fields are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from app.engine import protocol
from app.engine.hardware import Device, DeviceSpeed

CANNED = (
    "This reply comes from a script, not from a model.\n\n"
    "It has a **bold** word, a list:\n\n- one\n- two\n\nand `code`. You wrote: {last}"
)


class Die(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When and how the process fails. `once` is a path: it grows with each death, and after `times` there is none.

    hang: no frame is read or answered any more. garbage: bytes that are no frame. close: the output ends, the process
    does not. deaf (at start): Shutdown, end of input and SIGTERM are ignored, so that only a kill ends it.
    """

    at: Literal["start", "hello", "load", "prompt", "tokens", "gauge", "deaf"]
    how: Literal["kill", "abort", "segv", "exit", "hang", "garbage", "close"] = "kill"
    after: int = 0
    status: int = 1
    stderr: str = ""
    once: str = ""
    times: int = 1


class LoadScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`seconds` in `steps` of progress, then success or a failure with `code`: every time, or the first `times`.
    `check` looks at the file as the real worker does, knowing one architecture: llama.
    """

    seconds: float = 0.0
    steps: int = 4
    code: str = ""
    times: int = 0
    detail: str = ""
    numbers: dict[str, int] = {}
    model_kept: bool = False
    check: bool = False


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reply; `{last}` in the text is the person's last message. `tokens_per_s` 0 is as fast as it goes.

    Reading takes `prompt_s`, or goes at `read_tokens_per_s`, in `prompt_steps` progress events. With `code` the reply
    fails after `after` tokens. `thinking_open` leaves the opening tag to the prompt, as some templates do.
    """

    text: str = CANNED
    thinking: str = ""
    thinking_open: bool = False
    tokens_per_s: float = 200.0
    prompt_s: float = 0.0
    read_tokens_per_s: float = 0.0
    prompt_steps: int = 4
    prompt_tokens: int = 0
    code: str = ""
    detail: str = ""
    numbers: dict[str, int] = {}
    after: int = 0


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the process does. Replies are taken in turn and begin again after the last.

    `devices` are there beside the processor, and `remote` those of further computers, by HOST:PORT; any other endpoint
    does not answer. `speeds` are what gauging a device gives; it gives zeros for those that are not named.
    """

    replies: tuple[Reply, ...] = (Reply(),)
    load: LoadScript = LoadScript()
    die: Die | None = None
    devices: tuple[Device, ...] = ()
    remote: dict[str, tuple[Device, ...]] = {}
    speeds: tuple[DeviceSpeed, ...] = ()
    n_ctx: int = 8192
    name: str = "Scripted model"
    hello_delay_s: float = 0.0
    protocol: int = protocol.VERSION


def read_script(argument: str) -> Script:
    """The script from JSON, or from the path of a file that holds it. Raises msgspec.ValidationError or OSError."""
    text = argument if argument.lstrip().startswith("{") else Path(argument).read_text(encoding="utf-8")
    return msgspec.json.decode(text, type=Script)
