"""How an engine process ended, in human words. Separate from running it; touches no process.

`Ending` holds the evidence, `describe` makes an `Outcome` of it: one sentence for the person and a detail for the log.
The cause is told apart by evidence (exit status, who ended it, the kernel's count of processes ended for memory, marks
in the last lines of stderr), and what cannot be told apart is said with 'most likely'.
"""

from __future__ import annotations

import enum
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.engine.values import KEPT

_VMSTAT = Path("/proc/vmstat")


class Cause(enum.Enum):
    """Who ended the process, as far as the supervisor itself knows."""

    ITSELF = "itself"  # or the system, or another program: see the exit status
    ASKED = "asked"  # it was shut down
    HUNG = "hung"  # pings went unanswered
    SLOW_START = "slow_start"  # no Hello in time
    BAD_FRAME = "bad_frame"  # its output was no frame
    WRONG_PROTOCOL = "wrong_protocol"
    NOT_STARTED = "not_started"  # the process could not be created
    NO_ROOM = "no_room"  # nor could it, as the system had no memory for it


@dataclass(frozen=True)
class Ending:
    """The evidence. `returncode` as subprocess has it: negative for a signal. `memory_kills` counts since the start."""

    cause: Cause
    returncode: int | None = None
    stderr: Sequence[str] = ()
    memory_kills: int | None = None
    note: str = ""  # technical: what the supervisor saw


@dataclass(frozen=True)
class Outcome:
    """What to say. `expected` is true only where the parent asked for the end; `kind` is a stable word for programs."""

    kind: str
    sentence: str
    detail: str
    expected: bool = False


_SENTENCES: dict[str, str] = {
    "asked": "The engine was closed.",
    "hung": f"The engine no longer answered and was ended. {KEPT}",
    "slow_start": "The engine did not become ready in time.",
    "bad_frame": f"The engine sent something that makes no sense and was ended: a fault in Inglenook. {KEPT}",
    "wrong_protocol": "The engine belongs to another version of Inglenook. Install Inglenook again.",
    "not_started": (
        "The engine cannot be started. Install Inglenook again, or look whether a security program blocks it."
    ),
    "no_room": "The engine cannot be started: no memory is left for it. Close other programs and try again.",
    "memory": (
        f"The system ended the engine because memory ran out. A smaller model or a shorter context needs less. {KEPT}"
    ),
    "memory_likely": (
        "The engine was ended by the system, most likely because memory ran out. "
        f"A smaller model or a shorter context needs less. {KEPT}"
    ),
    "killed": f"The engine was ended from outside, by the system or by another program. {KEPT}",
    "assertion": f"The engine stopped at one of its own checks: a fault in llama.cpp, or in this model file. {KEPT}",
    "aborted": f"The engine gave up: a fault in llama.cpp, in this model file or in a driver. {KEPT}",
    "crashed": f"The engine crashed: a fault in llama.cpp, in this model file or in a driver. {KEPT}",
    "instruction": (
        "The engine uses an instruction that this computer's processor does not have. "
        "It needs a build of Inglenook for older processors."
    ),
    "file_vanished": (
        f"The engine could not go on reading the model file: it was changed, or its drive went away. {KEPT}"
    ),
    "installation": "The engine cannot be started: a part of it is missing or damaged. Install Inglenook again.",
    "driver": (
        f"The engine ended because a graphics driver, or a device of another computer, reported a fault. {KEPT}"
    ),
    "template": (
        "The chat template inside this model file ran too long and was ended, and the engine with it. "
        "That is the model's fault; another copy of the model may have a better one."
    ),
    "ended": f"The engine ended unexpectedly. {KEPT}",
}

_MEMORY_MARKS = (
    "std::bad_alloc",
    "MemoryError",
    "out of memory",
    "OutOfMemory",
    "OutOfDeviceMemory",
    "failed to allocate",
    "unable to allocate",
    "insufficient memory",
    "annot allocate memory",
    "Thread creation failed",  # its stack found no room
)
_DRIVER_MARKS = (
    "CUDA error",
    "HIP error",
    "ROCm error",
    "vk::",
    "VK_ERROR",
    "ggml_vulkan: ",
    "ggml_metal_",
    "SYCL error",
    "Remote RPC server",
    "RPC_STATUS_ASSERT",
)
_ASSERTION_MARKS = ("GGML_ASSERT", "GGML_ABORT", "Assertion `", "Assertion failed")
_TEMPLATE_MARKS = ('sandbox.py"',)  # what is printed of its stack where a template is ended with the process
_IMPORT_MARKS = ("ImportError", "ModuleNotFoundError", "cannot open shared object file", "Library not loaded")

# Windows' NTSTATUS values, as they appear as exit codes
_WINDOWS: dict[int, str] = {
    0xC0000005: "crashed",  # access violation
    0xC000001D: "instruction",  # illegal instruction
    0xC0000017: "memory",  # no memory
    0xC000012D: "memory",  # commitment limit
    0xC0000006: "file_vanished",  # in-page error: a mapped file cannot be read
    0xC0000135: "installation",  # a DLL was not found
    0xC0000139: "installation",  # an entry point was not found
    0xC000007B: "installation",  # a DLL for another kind of machine
    0xC0000409: "aborted",  # fail fast
    0xC0000374: "crashed",  # heap corruption
}


def describe(ending: Ending) -> Outcome:
    """The outcome for the evidence. Never raises."""
    kind = ending.cause.value if ending.cause is not Cause.ITSELF else _kind_of_status(ending)
    return Outcome(kind, _SENTENCES[kind], _detail(ending), expected=kind == "asked")


def memory_kills() -> int | None:
    """How many processes the kernel has ended for memory since it booted; None where it does not tell (Linux only)."""
    if sys.platform != "linux":
        return None
    try:
        lines = _VMSTAT.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _kind_of_status(ending: Ending) -> str:
    tail = "\n".join(ending.stderr)
    code = ending.returncode if ending.returncode is not None else 0
    if code < 0:
        return _kind_of_signal(-code, ending, tail)
    if (kind := _WINDOWS.get(code & 0xFFFFFFFF)) is not None:
        return kind
    if any(mark in tail for mark in _TEMPLATE_MARKS):
        return "template"
    if any(mark in tail for mark in _MEMORY_MARKS):
        return "memory_likely"
    if any(mark in tail for mark in _DRIVER_MARKS):
        return "driver"
    if any(mark in tail for mark in _ASSERTION_MARKS):
        return "assertion"
    if any(mark in tail for mark in _IMPORT_MARKS):
        return "installation"
    if sys.platform == "win32" and code == 3:  # what abort() exits with there
        return "aborted"
    return "ended"


def _kind_of_signal(number: int, ending: Ending, tail: str) -> str:
    name = _signal_name(number)
    if name == "SIGKILL":
        if ending.memory_kills is None:
            return "memory_likely"
        return "memory" if ending.memory_kills > 0 else "killed"
    if name in ("SIGABRT", "SIGSEGV") and any(mark in tail for mark in _MEMORY_MARKS):
        return "memory_likely"  # a buffer that was refused is often used all the same
    if name in ("SIGABRT", "SIGSEGV") and any(mark in tail for mark in _DRIVER_MARKS):
        return "driver"
    if name == "SIGABRT":
        return "assertion" if any(mark in tail for mark in _ASSERTION_MARKS) else "aborted"
    by_name = {"SIGSEGV": "crashed", "SIGFPE": "crashed", "SIGILL": "instruction", "SIGBUS": "file_vanished"}
    return by_name.get(name, "killed" if name in {"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGXCPU"} else "crashed")


def _detail(ending: Ending) -> str:
    parts = [ending.note] if ending.note else []
    if ending.returncode is not None:
        if ending.returncode < 0:
            parts.append(f"signal {-ending.returncode} ({_signal_name(-ending.returncode)})")
        else:
            code = ending.returncode
            parts.append(f"exit code {code}" if code < 0x10000 else f"exit code {code & 0xFFFFFFFF:#x}")
    if ending.memory_kills:
        parts.append(f"{ending.memory_kills} process(es) ended for memory meanwhile")
    head = "; ".join(parts)
    return "\n".join([head, *ending.stderr]) if ending.stderr else head


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
