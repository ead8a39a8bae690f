"""What stands between a person and the Hub, in words with one action: offline, failures, access."""

from __future__ import annotations

from app.services.changes import ModelFailed, NetworkState, SearchFailed
from app.ui.components.models.notice import Act, Notice
from app.ui.components.models.wishes import Wishes

ASK = "Go online to look further?"
ASK_MORE = (
    "Online for models only: Inglenook asks the hub for models and their files, and nothing else. Your "
    "conversations stay here."
)
OFFLINE = "Inglenook is offline"
OFFLINE_MORE = "These choices came along with it. To look further, switch it online on the Privacy page."
FORCED_MORE = "{by} was given, so it does not reach the network until it is started without it."
NAME_HOST = "Name this host"
GONE = "This first choice is not there any more"
GONE_MORE = (
    "It came along with Inglenook. Its repository was moved or removed since, or this hub does not carry it; others "
    "may offer the same model."
)
_LOGIN = ("log_in", "token_refused")
_KEPT_BACK = "token_kept_back"


def offline(notice: Notice, state: NetworkState, wishes: Wishes) -> None:
    """Asks once for going online; afterwards, and where it is forced, only says how it stands."""
    if state.forced_by:
        notice.say(OFFLINE, FORCED_MORE.format(by=state.forced_by.replace("--", "--\u2060")), kind="offline")
    elif state.mode == "ask":
        notice.say(
            ASK,
            ASK_MORE,
            kind="offline",
            action="Go online",
            act=wishes.online_wanted.emit,
            past="Stay offline",
            go_past=wishes.offline_wanted.emit,
        )
    else:
        notice.say(OFFLINE, OFFLINE_MORE, kind="offline", action="Privacy", act=wishes.privacy_wanted.emit)


def offline_page(notice: Notice) -> None:
    """The same on a model's page. The way out of it stands beside the list."""
    notice.say(
        "Its versions are listed online",
        "Inglenook asks for them once it is online, and for nothing before that.",
        kind="offline",
    )


def search_failed(notice: Notice, failure: SearchFailed, wishes: Wishes, again: Act) -> None:
    """Why a search found nothing more."""
    if failure.code in _LOGIN:
        notice.say(failure.sentence, kind="ochre", action="Log in", act=wishes.login_wanted.emit)
    elif failure.code == _KEPT_BACK:
        notice.say(failure.sentence, kind="ochre", action=NAME_HOST, act=wishes.hosts_wanted.emit)
    elif failure.code == "offline":
        notice.say(failure.sentence, kind="offline", action="Privacy", act=wishes.privacy_wanted.emit)
    else:
        notice.say(failure.sentence, kind="ochre", action="Try again", act=again)


def model_failed(notice: Notice, failure: ModelFailed, wishes: Wishes, again: Act, choice: str = "") -> None:
    """Why a model's page cannot be shown, and the one thing to do about it. `choice`: its name among the first
    choices."""
    code, link = failure.code, failure.link
    if choice and code == "not_on_hub":
        notice.say(
            GONE,
            GONE_MORE,
            kind="ochre",
            action=f"Search for {choice}",
            act=lambda: wishes.search_wanted.emit(choice),
            past="Try again",
            go_past=again,
        )
    elif code in _LOGIN:
        notice.say(failure.sentence, kind="ochre", action="Log in", act=wishes.login_wanted.emit)
    elif code == _KEPT_BACK:
        notice.say(failure.sentence, kind="ochre", action=NAME_HOST, act=wishes.hosts_wanted.emit)
    elif code == "ask_for_access" and link:
        notice.say(failure.sentence, kind="ochre", action="Ask for access", act=lambda: wishes.link_wanted.emit(link))
    elif code == "access_denied":
        notice.say(
            failure.sentence,
            kind="rose",
            action="Open its page" if link else "",
            act=lambda: wishes.link_wanted.emit(link),
        )
    elif code == "offline":
        notice.say(failure.sentence, kind="offline", action="Privacy", act=wishes.privacy_wanted.emit)
    else:
        notice.say(failure.sentence, kind="ochre", action="Try again", act=again)
