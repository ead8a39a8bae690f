"""A conversation's own values, between side panel and services. A new one keeps them until it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.base.errors import InglenookError
from app.chat.messages import Conversation
from app.engine.values import Adapter, Sampling
from app.services.sending import Choices
from app.ui.pages.conversation.own_adapters import OwnAdapters
from app.ui.ports import ApplicationPort

if TYPE_CHECKING:
    from app.ui.components.side_panel import SidePanel


class OwnValues:
    """Listens to the panel; calls `say` with a sentence where a value cannot be kept."""

    def __init__(self, application: ApplicationPort, panel: SidePanel, say: Callable[[str], None]) -> None:
        self._application = application
        self._panel = panel
        self._say = say
        self._conversation: Conversation | None = None
        self._shown = False
        self._sampling: Sampling | None = None
        self._prompt = ""
        self._new_adapters: tuple[Adapter, ...] = ()
        self.adapters = OwnAdapters(application, panel.adapters)
        panel.adapters_changed.connect(self._set_adapters)
        panel.sampling_changed.connect(self._set_sampling)
        panel.system_prompt_changed.connect(self._set_prompt)
        panel.reset_requested.connect(self._reset)

    def show(self, conversation: Conversation | None) -> None:
        """Shows the values of a conversation, or those a new one would begin with."""
        before = self._conversation.id if self._conversation is not None else ""
        now = conversation.id if conversation is not None else ""
        if self._shown and before == now and self._panel.waiting:
            self._conversation = conversation
            return  # the hand is still on it; what it does will be told and come back
        self._conversation, self._shown = conversation, True
        defaults = self._application.settings.current.generation
        if conversation is None:
            sampling, prompt, adapters = self._sampling, self._prompt, self._new_adapters
        else:
            sampling, prompt, adapters = conversation.sampling, conversation.system_prompt, conversation.adapters
        self.adapters.show(adapters, conversation.model_id if conversation is not None else "")
        self._panel.show_values(sampling or defaults.sampling(), defaults.sampling(), prompt, defaults.system_prompt)

    def take_choices(self) -> Choices | None:
        """What the first message of a new conversation takes along; forgotten afterwards."""
        if self._sampling is None and not self._prompt and not self._new_adapters:
            return None
        choices = Choices(
            system_prompt=self._prompt or None, sampling=self._sampling, adapters=self._new_adapters or None
        )
        self._sampling, self._prompt, self._new_adapters = None, "", ()
        return choices

    def _set_sampling(self, sampling: Sampling) -> None:
        conversation = self._conversation
        if conversation is None:
            self._sampling = sampling
            return
        conversation_id = conversation.id
        self._do(lambda: self._application.conversations.configure(conversation_id, sampling=sampling))

    def _set_prompt(self, prompt: str) -> None:
        conversation = self._conversation
        if conversation is None:
            self._prompt = prompt
            return
        conversation_id = conversation.id
        self._do(lambda: self._application.conversations.configure(conversation_id, system_prompt=prompt))

    def _set_adapters(self, adapters: tuple[Adapter, ...]) -> None:
        conversation = self._conversation
        if conversation is None:
            self._new_adapters = adapters
            return
        conversation_id = conversation.id
        self._do(lambda: self._application.conversations.configure(conversation_id, adapters=adapters))

    def _reset(self) -> None:
        conversation = self._conversation
        if conversation is None:
            self._sampling = None
            self.show(None)
            return
        conversation_id = conversation.id
        self._do(lambda: self._application.conversations.configure(conversation_id, sampling=None))

    def _do(self, call: Callable[[], object]) -> None:
        try:
            call()
        except InglenookError as error:
            self._say(error.sentence)
