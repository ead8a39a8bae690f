"""What can be done with a line of the list: which verbs it has, how they are called, and which icon they have."""

from __future__ import annotations

from app.chat.context_view import Standing
from app.ui.models.context_lines import INSTRUCTIONS, MESSAGE, NOTE, TURNS, Line

PIN, LEAVE_OUT, PUT_BACK, READ_NOTE, EDIT_INSTRUCTIONS = "pin", "leave_out", "unmark", "note", "instructions"

ICONS = {
    PIN: "pin",
    LEAVE_OUT: "prohibit",
    PUT_BACK: "arrow-back",
    READ_NOTE: "pencil",
    EDIT_INSTRUCTIONS: "pencil",
}


def verbs_of(line: Line, *, read_only: bool = False) -> tuple[str, ...]:
    """The verbs of a line in the order of their icons. Groups of several turns are unfolded first."""
    if read_only:
        return (READ_NOTE,) if line.kind == NOTE else ()
    if line.kind == INSTRUCTIONS:
        return (EDIT_INSTRUCTIONS,)
    if line.kind == NOTE:
        return (READ_NOTE,)
    if not ids_of(line):
        return ()
    if line.standing is Standing.PINNED:
        return (PUT_BACK,)
    if line.standing is Standing.OUTSIDE:
        return (PUT_BACK,) if line.own else ()
    return (PIN, LEAVE_OUT)


def ids_of(line: Line) -> tuple[str, ...]:
    """The messages that a verb is for: the one of a message, both of a turn."""
    if line.kind == MESSAGE or (line.kind == TURNS and line.entries[0].turn == line.entries[-1].turn):
        return tuple(entry.message_id for entry in line.entries if entry.message_id)
    return ()


def name_of(verb: str, line: Line) -> str:
    """The verb in words, for this line."""
    what = "this turn" if line.kind == TURNS else "this message"
    match verb:
        case "pin":
            return f"Pin {what}: it always stays"
        case "leave_out":
            return f"Leave {what} out"
        case "unmark":
            return f"Unpin {what}" if line.standing is Standing.PINNED else f"Put {what} back"
        case "note":
            return "Read the note"
        case _:
            return "Edit the instructions"


def icon_of(line: Line) -> tuple[str, str]:
    """The icon at the left of a line and its colour; '' for none."""
    match line.standing:
        case Standing.PINNED:
            return "pin", "ember"
        case Standing.SUMMARISED:
            return "stack", "ink2"
        case Standing.TRIMMED:
            return "scissors", "ink3"
        case Standing.OUTSIDE:
            return ("prohibit", "ink3") if line.own else ("", "")
    if line.kind == INSTRUCTIONS:
        return "pin", "ember"
    return ("", "") if line.level else ("chat", "ink2")
