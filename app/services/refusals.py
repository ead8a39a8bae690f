"""Says in words and numbers why a conversation cannot be sent as it is, and what would help."""

from __future__ import annotations

from app.base.sizes import size_words
from app.chat import context
from app.services.errors import ContextFull, MessageTooLarge
from app.services.growing import LongerWindows
from app.services.load_wishes import Ready
from app.services.loading import Loading
from app.services.prompts import Chosen


class Refusals:
    """Makes errors; raises none."""

    def __init__(self, growing: LongerWindows, loading: Loading) -> None:
        self._growing = growing
        self._loading = loading

    def too_large(self, error: context.TooLarge, ready: Ready | None) -> MessageTooLarge:
        """What must stay does not fit: the newest message alone, or with what stays beside it."""
        growth = None
        if ready is not None:
            model, options = ready.model, self._loading.options(ready.file.id)
            growth = self._growing.growth(ready.file, options, model.n_ctx, model.n_cells, error.tokens)
        if growth is not None and growth.n_ctx:
            offer = (
                f"Or use a context of {growth.n_ctx:,} tokens, which takes {size_words(growth.size_bytes)} more memory."
            )
        else:
            offer = "Or choose a model with a longer context."
        return MessageTooLarge(f"{error.said} {offer}")

    def full(self, chosen: Chosen) -> ContextFull:
        """The person is to choose what goes."""
        count = chosen.count
        total, limit = (count.total, count.limit) if count is not None else (0, 0)
        return ContextFull(
            f"The conversation needs {total:,} tokens and the model sees {limit:,}. Nothing was sent: choose what is "
            "left out, summarise the older turns, or let the oldest leave by themselves."
        )
