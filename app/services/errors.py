"""What a verb of the application answers when it cannot be done."""

# ruff: noqa: N818 - named after what happened, which reads better at `except` than another word Error

from __future__ import annotations

from app.base.errors import InglenookError


class ServiceError(InglenookError):
    """Base of this room."""

    code = "service"


class NotOpen(ServiceError):
    """The conversations are not there (yet): `sentence` says why."""

    code = "not_open"


class NoSuchThing(ServiceError):
    """An id, name or path that leads nowhere."""

    code = "no_such_thing"


class NothingToSend(ServiceError):
    """An empty message."""

    code = "nothing_to_send"


class NotAllowed(ServiceError):
    """A number outside its range."""

    code = "not_allowed"


class MessageTooLarge(ServiceError):
    """The newest message alone does not fit the model's window."""

    code = "message_too_large"


class ContextFull(ServiceError):
    """The conversation no longer fits the model's window, and the person wants to be asked what goes."""

    code = "context_full"


class NoteFailed(ServiceError):
    """The oldest turns could not be summarised."""

    code = "note_failed"


class InUse(ServiceError):
    """Another Inglenook uses what should go."""

    code = "in_use"


class NotYetSaved(ServiceError):
    """The disk has not answered for a long time; what waits for it is kept in memory."""

    code = "not_yet_saved"

    def __init__(self) -> None:
        super().__init__("Saving takes very long. What was written is kept in memory and saved as soon as possible.")


class WouldSwap(ServiceError):
    """A model needs more memory than is free; the person may insist."""

    code = "would_swap"


class NoModelFound(ServiceError):
    """Neither the person nor the installation has a model."""

    code = "no_model_found"


class NotRemovable(ServiceError):
    """The model belongs to somebody else, or lies where nothing can be removed now."""

    code = "not_removable"


class NotRemoved(ServiceError):
    """The system refused."""

    code = "not_removed"


class NotCopied(ServiceError):
    """The disk refused, or has too little room."""

    code = "not_copied"


class NotFromTheHub(ServiceError):
    """Nobody knows where this model came from."""

    code = "not_from_the_hub"


class Interrupted(ServiceError):
    """Asked to stop."""

    code = "interrupted"
