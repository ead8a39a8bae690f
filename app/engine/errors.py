"""What can go wrong with the engine, in words for the person. Codes cross the process border; classes live here.

`error_from` turns a code with its numbers into the one error class and sentence for it, on both sides alike: a check
that fails in the child raises the same class there, travels as `code`, `detail` and `numbers`, and is rebuilt in the
parent. A sentence says what happened, whose fault it is where that helps, and what to do. Nothing here does any work.
"""

# ruff: noqa: N818 - named after what happened, which reads better at `except` than another word Error

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.engine.protocol import Code
from app.engine.values import KEPT

ENGINE_DIED = "engine_died"
ENGINE_CLOSED = "engine_closed"
ENGINE_UNAVAILABLE = "engine_unavailable"

Numbers = Mapping[str, int]


class Blame(enum.Enum):
    """What a failed load or reply failed of, as far as the evidence goes; loading decides by it what to try next."""

    MEMORY = "memory"
    DRIVER = "driver"  # a device, its driver, or the computer it belongs to
    CRASH = "crash"  # the engine's own fault, the file's, or with a device its driver's
    FILE = "file"
    UNKNOWN = "unknown"


class EngineError(InglenookError):
    """Base of this room. `code` is one of protocol.Code or an unknown one.

    `numbers` are the facts that the sentence was made of; they travel with the code.
    """

    code = Code.INTERNAL
    blame: Blame = Blame.UNKNOWN
    default: ClassVar[str] = "The engine reported an error that this version of Inglenook does not know."

    def __init__(
        self,
        detail: str = "",
        numbers: Numbers | None = None,
        *,
        sentence: str | None = None,
        code: str | None = None,
    ) -> None:
        self.numbers: dict[str, int] = dict(numbers or {})
        super().__init__(self.words(detail, self.numbers) if sentence is None else sentence, detail=detail)
        if code is not None:
            self.code = code

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        """The sentence of this class for a detail and numbers, which may both be empty."""
        return cls.default


# --- the model file ----------------------------------------------------------------------------------------------


class ModelFileError(EngineError):
    """Something is wrong with the file that was chosen; another file would do."""

    blame = Blame.FILE


class FileMissing(ModelFileError):
    """`numbers` may hold part and parts, when it is one file of a model in several files."""

    code = Code.FILE_MISSING

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        if "part" in numbers:
            return (
                f"Part {numbers['part']} of the {numbers.get('parts', numbers['part'])} files of this model "
                "is missing. Put it beside the first part, or download the model again."
            )
        return "The model file is no longer there. It was moved, renamed or deleted, or its drive is not connected."


class FileUnreadable(ModelFileError):
    code = Code.FILE_UNREADABLE
    default = "The model file cannot be read. Look at its permissions and at the drive it lies on."


class NotGguf(ModelFileError):
    """`numbers`: size_bytes, when it is known."""

    code = Code.NOT_GGUF

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        if numbers.get("size_bytes") == 0:
            return "This file is not a GGUF model: it is empty. Download it again."
        return (
            "This file is not a GGUF model: it does not begin like one. "
            "Inglenook reads models in the GGUF format; most models on Hugging Face are offered in it too."
        )


class GgufTruncated(ModelFileError):
    """`numbers`: size_bytes as it is, needed_bytes at least."""

    code = Code.GGUF_TRUNCATED

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        if {"size_bytes", "needed_bytes"} <= numbers.keys():
            has, needs = size_pair(numbers["size_bytes"], numbers["needed_bytes"])
            return (
                f"This model file is incomplete: {has} of at least {needs} are there. "
                "The download probably stopped early; download it again."
            )
        return "This model file is incomplete. The download probably stopped early; download it again."


class GgufBroken(ModelFileError):
    """`numbers`: version or tensor_type, where those are what is wrong."""

    code = Code.GGUF_BROKEN

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        if "version" in numbers:
            return (
                f"This model file is written in version {numbers['version']} of the GGUF format, and this version of "
                "Inglenook reads versions 2 and 3. Look for a newer or older copy of the model."
            )
        if "tensor_type" in numbers:
            return (
                f"This model is stored in a number format (type {numbers['tensor_type']}) that this version of "
                "Inglenook does not know. Choose another quantization of it, or a newer version of Inglenook."
            )
        return "This model file is damaged: its header contradicts itself. Download it again, or choose another copy."


class UnknownArchitecture(ModelFileError):
    """`detail` is the name of the architecture."""

    code = Code.UNKNOWN_ARCHITECTURE

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        name = printable(detail)
        named = f" ({name})" if name else ""
        return (
            f"This model is built in a way that this version of the engine does not know{named}. "
            "A newer version of Inglenook may know it."
        )


class NotAChatModel(ModelFileError):
    """`detail` is one of the keys of KINDS: what the file is instead."""

    code = Code.NOT_A_CHAT_MODEL
    KINDS: ClassVar[dict[str, str]] = {
        "vocabulary": "it holds a vocabulary only, without the model itself",
        "projector": "it is a projector, the part that reads pictures or sound. Choose the model it belongs to",
        "adapter": "it is an adapter that changes another model. Choose that model, and add the adapter in "
        "the side panel of a conversation",
        "embedding": "it turns texts into numbers to search with and cannot write. Choose a model for chat",
        "part": "it is a later part of a model in several files. Choose the first part",
        "other": "it holds something else. Choose a model for chat",
    }

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        return f"This file is not a model to chat with: {cls.KINDS.get(detail, cls.KINDS['other'])}."


class AdapterMisfit(EngineError):
    """An adapter cannot be used. `detail` has lines: one of the reasons here, the name of the file, and what more the
    sentence needs: its kind, both architectures, or the tensor that does not fit."""

    code = Code.ADAPTER_MISFIT
    MISSING = "missing"
    UNREADABLE = "unreadable"
    OTHER = "other"
    KIND = "kind"
    BROKEN = "broken"
    ARCHITECTURE = "architecture"
    SIZES = "sizes"
    TIED = "tied"
    REFUSED = "refused"

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        reason, name, first, second = (*(printable(line) for line in detail.split("\n")), "", "", "", "")[:4]
        named = f"The adapter {name}" if name else "The adapter"
        match reason:
            case cls.MISSING:
                return f"{named} is no longer there. It was moved, renamed or deleted, or its drive is not connected."
            case cls.UNREADABLE:
                return f"{named} cannot be read. Look at its permissions and at the drive it lies on."
            case cls.OTHER:
                return f"{name or 'This file'} is not a LoRA adapter in the GGUF format."
            case cls.KIND:
                kind = f" ({first})" if first else ""
                return f"{named} is of another kind{kind} than the LoRA adapters that Inglenook can use."
            case cls.ARCHITECTURE:
                return f"{named} was made for models of the kind {first}, and this model is of the kind {second}."
            case cls.SIZES:
                return f"{named} was made for another model of the same kind: its parts are of another size."
            case cls.TIED:
                return f"{named} changes the vocabulary of a model that reads and writes with the same one."
            case cls.REFUSED:
                return f"{named} passed every check here, but the engine refused it."
        return f"{named} is damaged: its parts contradict each other. Download it again, or choose another copy."


# --- loading and writing -----------------------------------------------------------------------------------------


class NoModel(EngineError):
    code = Code.NO_MODEL
    default = "No model is loaded. Choose one first."


class LoadFailed(EngineError):
    code = Code.LOAD_FAILED
    default = "The model could not be loaded. Its file passed every check here, but the engine refused it."


class OutOfMemory(EngineError):
    """`numbers`: needed_bytes and free_bytes, when they are known."""

    code = Code.OUT_OF_MEMORY
    blame = Blame.MEMORY

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        advice = "A smaller model, a smaller quantization or a shorter context needs less."
        if {"needed_bytes", "free_bytes"} <= numbers.keys():
            needs, free = size_pair(numbers["needed_bytes"], numbers["free_bytes"])
            return f"The model needs {needs} and {free} are free. {advice}"
        if "needed_bytes" in numbers:
            return f"The model needs {size_words(numbers['needed_bytes'])}, more than is free. {advice}"
        return f"There is not enough memory for this model with this context. {advice}"


class DeviceFailed(EngineError):
    """`detail` is the device's name."""

    code = Code.DEVICE_FAILED
    blame = Blame.DRIVER

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        name = printable(detail)
        named = f"The device {name}" if name else "A device"
        return f"{named} failed: a fault of its driver, or of the computer it belongs to."


class WorkerUnreachable(EngineError):
    """`detail` is HOST:PORT. `numbers`: busy, where something is there and silent; other, where it is no worker of this
    version."""

    code = Code.WORKER_UNREACHABLE
    blame = Blame.DRIVER

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        name = printable(detail)
        if name and "busy" in numbers:
            return f"The computer {name} is busy with another Inglenook, or was added twice."
        if name and "other" in numbers:
            return f"What answers at {name} is not `inglenook worker` of the same version as this Inglenook."
        return (
            f"The computer {name or 'that was added'} does not answer. "
            "Start `inglenook worker` there, or remove it in the settings."
        )


class Cancelled(EngineError):
    code = Code.CANCELLED
    default = "Stopped, as asked."


class TemplateBroken(EngineError):
    """`detail` begins with REFUSES where the template gave its own words for it, which follow."""

    code = Code.TEMPLATE_BROKEN
    REFUSES: ClassVar[str] = "the template refuses: "
    default = (
        "The chat template inside this model file does not work with this conversation. "
        "That is the model's fault; another copy of the model may have a better one."
    )

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        said = printable(detail.removeprefix(cls.REFUSES), 200) if detail.startswith(cls.REFUSES) else ""
        if not said:
            return cls.default
        return (
            f'The chat template inside this model file refuses this conversation: "{said}". '
            "Another copy of the model may have one that takes it."
        )


class TemplateLimit(EngineError):
    code = Code.TEMPLATE_LIMIT
    default = (
        "The chat template inside this model file ran too long or grew too large and was stopped. "
        "That is the model's fault; another copy of the model may have a better one."
    )


class PromptTooLong(EngineError):
    """`numbers`: n tokens, limit."""

    code = Code.PROMPT_TOO_LONG

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        advice = "Shorten the message, or load the model with a longer context."
        if {"n", "limit"} <= numbers.keys():
            return f"This needs {numbers['n']:,} tokens and the context holds {numbers['limit']:,}. {advice}"
        return f"This is longer than the context of the model. {advice}"


class DecodeFailed(EngineError):
    code = Code.DECODE_FAILED
    default = "The model could not go on writing: the next token could not be computed. Loading it again may help."


class Busy(EngineError):
    code = Code.BUSY
    default = "The engine is busy with something else. Wait until it is done, or stop it."


class InternalError(EngineError):
    """A code nobody here knows, or one that means the two processes misunderstood each other: our fault."""

    code = Code.INTERNAL
    default = (
        "Something went wrong inside Inglenook's engine. That is a fault in Inglenook, not yours and not the model's."
    )

    @classmethod
    def words(cls, detail: str, numbers: Numbers) -> str:
        said = printable(detail, 200)
        return f"{cls.default} It says: {said}" if said else cls.default


# --- the process (raised on the parent's side only) --------------------------------------------------------------


class EngineDied(EngineError):
    """The process ended under a command. The sentence comes from outcome.py."""

    code = ENGINE_DIED
    default = f"The engine ended unexpectedly. {KEPT}"

    @classmethod
    def of(cls, kind: str, sentence: str, detail: str) -> EngineDied:
        """The error for an outcome."""
        error = cls(detail, sentence=sentence)
        error.blame = _BLAMES.get(kind, Blame.UNKNOWN)
        return error


class EngineClosed(EngineError):
    code = ENGINE_CLOSED
    default = "The engine was closed before this was done."


class EngineUnavailable(EngineError):
    """The process cannot be started, or ended at its start again and again."""

    code = ENGINE_UNAVAILABLE
    default = (
        "The engine cannot be started. Restarting Inglenook may help; if it does not, the installation is damaged."
    )


_BLAMES = {
    "memory": Blame.MEMORY,
    "memory_likely": Blame.MEMORY,
    "driver": Blame.DRIVER,
    "crashed": Blame.CRASH,
    "aborted": Blame.CRASH,
    "assertion": Blame.CRASH,
    "template": Blame.FILE,
}

_CLASSES: dict[str, type[EngineError]] = {
    cls.code: cls
    for cls in (
        FileMissing, FileUnreadable, NotGguf, GgufTruncated, GgufBroken, UnknownArchitecture, NotAChatModel,
        AdapterMisfit,
        NoModel, LoadFailed, OutOfMemory, DeviceFailed, WorkerUnreachable, Cancelled, TemplateBroken, TemplateLimit,
        PromptTooLong, DecodeFailed, Busy,
        InternalError, EngineDied, EngineClosed, EngineUnavailable,
    )
}  # fmt: skip


def error_from(code: str, detail: str = "", numbers: Numbers | None = None) -> EngineError:
    """The error for a code from the wire. An unknown code becomes an InternalError that keeps code and detail."""
    cls = _CLASSES.get(code)
    if cls is None:
        cls = InternalError
        detail = f"{code}: {detail}" if detail else code
    return cls(detail, numbers, code=code)


def size_pair(first: int, second: int) -> tuple[str, str]:
    """Two sizes to be compared by a reader: exact bytes where rounding would make different sizes look equal."""
    words = size_words(first), size_words(second)
    return (f"{first:,} bytes", f"{second:,} bytes") if words[0] == words[1] and first != second else words


def printable(text: str, limit: int = 60) -> str:
    """Text from outside, safe to stand in a sentence: one line, no control characters, not longer than `limit`."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
