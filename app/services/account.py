"""The person's account on the Hub: entering an access token, forgetting it. The token itself never comes out again."""

from __future__ import annotations

from app.hub.errors import TokenNotKept
from app.hub.token import Origin, TokenSource
from app.services.changes import AccountChanged, Publisher

WORDS = {
    Origin.NONE: "Not logged in",
    Origin.ENVIRONMENT: "Logged in by HF_TOKEN",
    Origin.KEYRING: "Logged in; the token lies in the system's keyring",
    Origin.SESSION: "Logged in until Inglenook quits",
}


class Account:
    """Each call may block while the system asks the person to unlock its keyring: not for the thread that paints."""

    def __init__(self, tokens: TokenSource, publisher: Publisher) -> None:
        self._tokens = tokens
        self._publisher = publisher

    @property
    def origin(self) -> str:
        """Where the token comes from: environment, keyring, session or none."""
        return self._tokens.origin.value

    @property
    def words(self) -> str:
        """The same for a person."""
        return WORDS[self._tokens.origin]

    @property
    def can_keep(self) -> bool:
        """Whether a token may be kept for later runs."""
        return not self._tokens.portable

    def log_in(self, token: str, *, keep: bool) -> str:
        """Takes a token; `keep` hands it to the system's keyring. Raises BadToken.

        Returns '' or, when the keyring refused, the sentence that says why the token holds for this session only.
        """
        refused = ""
        try:
            self._tokens.enter(token, keep=keep)
        except TokenNotKept as error:
            refused = error.sentence
        self._publisher.publish(AccountChanged(origin=self.origin))
        return refused

    def log_out(self) -> None:
        """Forgets the token. One that HF_TOKEN gives stays."""
        self._tokens.forget()
        self._publisher.publish(AccountChanged(origin=self.origin))
