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


class NoModelFound(ServiceError):
    """Neither the person nor the installation has a model."""

    code = "no_model_found"
