"""Who may be asked for what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.privacy.policy import (
    ELSEWHERE,
    PUBLIC_HUB,
    Action,
    Policy,
    Purpose,
    Target,
    compute_refusal,
    limit_bytes,
    may_carry_token,
    may_lead_to,
    refusal,
    target_of,
    target_of_url,
    target_of_worker,
)

PUBLIC = Policy(online=True)
LOCAL = Policy(online=True, hub="http://127.0.0.1:9000")
CDN = "https://cdn.example"


def at(url: str) -> Target:
    found = target_of_url(url)
    assert found is not None, url
    return found


def action(purpose: Purpose) -> Action:
    return Action(id="a", purpose=purpose, what="")


@pytest.mark.parametrize("purpose", Purpose)
def test_the_hub_may_be_asked_for_everything(purpose: Purpose) -> None:
    assert refusal(PUBLIC, action(purpose), at(PUBLIC_HUB), ()) == ""
    assert refusal(LOCAL, action(purpose), at(LOCAL.hub), ()) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://huggingface.co:8443",
        "https://huggingface.co.evil.example",
        "https://evil-huggingface.co",
        "https://xn--hugingface-abc.co",
        CDN,
        "https://127.0.0.1",
    ],
)
@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.CARD_IMAGE])
def test_everybody_else_is_refused_until_the_hub_sends_us_there(purpose: Purpose, url: str) -> None:
    assert refusal(PUBLIC, action(purpose), at(url), ())
    granted = {at(url).origin}
    assert bool(refusal(PUBLIC, action(purpose), at(url), granted)) == (purpose not in ELSEWHERE)


@pytest.mark.parametrize(
    "url", ["http://huggingface.co", "http://cdn.example", "ftp://huggingface.co", "ws://127.0.0.1"]
)
@pytest.mark.parametrize("purpose", Purpose)
def test_nothing_leaves_unencrypted(purpose: Purpose, url: str) -> None:
    granted = {at(url).origin}
    assert refusal(PUBLIC, action(purpose), at(url), granted)
    policy = Policy(online=True, hub=at(url).origin)
    assert refusal(policy, action(purpose), at(url), granted)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "https://localhost",
        "https://LOCALHOST",
        "https://a.localhost",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://0.0.0.0",
        "https://169.254.169.254",
        "https://2130706433",
        "https://0x7f.1",
        "https://127.1",
        "http://cdn.example",
    ],
)
def test_a_host_far_away_never_leads_us_here(url: str) -> None:
    for purpose in ELSEWHERE:
        assert not may_lead_to(PUBLIC, action(purpose), at(url))
    assert refusal(PUBLIC, action(Purpose.CARD_IMAGE), at(url), ())


def test_files_may_lie_on_other_hosts() -> None:
    for purpose in ELSEWHERE:
        assert may_lead_to(PUBLIC, action(purpose), at(CDN))
        assert may_lead_to(LOCAL, action(purpose), at("http://127.0.0.1:9001"))
        assert not may_lead_to(LOCAL, action(purpose), at("http://cdn.example"))
    assert not may_lead_to(PUBLIC, action(Purpose.SEARCH), at(CDN))


@pytest.mark.parametrize("url", ["https://10.0.0.1", "https://192.168.1.1", "https://[fe80::1]", "https://intranet"])
def test_pictures_come_from_public_places(url: str) -> None:
    assert refusal(PUBLIC, action(Purpose.CARD_IMAGE), at("https://img.example"), ()) == ""
    assert refusal(PUBLIC, action(Purpose.CARD_IMAGE), at(url), ())


def test_the_token_goes_to_the_hub_and_to_hosts_that_were_named() -> None:
    assert may_carry_token(PUBLIC, at(PUBLIC_HUB))
    assert not may_carry_token(PUBLIC, at("https://huggingface.co:8443"))
    assert not may_carry_token(PUBLIC, at("http://huggingface.co"))
    assert not may_carry_token(PUBLIC, at(CDN))
    mirror = Policy(online=True, hub="https://mirror.example")
    assert not may_carry_token(mirror, at("https://mirror.example")), "never unasked"
    named = Policy(online=True, token_hosts=("cdn.example", "files.example:8443"))
    assert may_carry_token(named, at(CDN))
    assert may_carry_token(named, at("https://files.example:8443"))
    assert not may_carry_token(named, at("https://files.example"))
    assert not may_carry_token(named, at("http://cdn.example"))


def test_names() -> None:
    assert at("https://Example.COM:443/x").name == "example.com"
    assert at("https://[::1]:8443").origin == "https://[::1]:8443"
    assert at("http://localhost:80").name == "localhost"
    assert at("http://127.9.9.9").local
    assert target_of("https", "HUB", None) == Target(scheme="https", host="hub", port=443)
    assert target_of_url("huggingface.co") is None
    assert target_of_url("https://x:99999") is None
    assert target_of_url("https://[") is None


def test_only_a_download_has_no_limit() -> None:
    assert limit_bytes(Purpose.DOWNLOAD) is None
    assert all(limit_bytes(purpose) for purpose in Purpose if purpose is not Purpose.DOWNLOAD)


@given(st.text())
def test_any_text_may_be_an_address(text: str) -> None:
    for url in (text, f"https://{text}", f"http://{text}/x"):
        target = target_of_url(url)
        if target is not None and target.origin != PUBLIC_HUB:
            assert refusal(PUBLIC, action(Purpose.SEARCH), target, ())


@pytest.mark.parametrize(
    ("endpoint", "online", "allowed"),
    [
        ("127.0.0.1:50052", False, True),
        ("localhost:50052", False, True),
        ("192.168.1.20:50052", False, False),
        ("192.168.1.20:50052", True, True),
        ("box.example:50052", True, True),
        ("192.168.1.21:50052", True, False),  # nobody named it
    ],
)
def test_a_further_computer_is_one_that_was_named_and_needs_the_network_unless_it_is_this_one(
    endpoint: str, online: bool, allowed: bool
) -> None:
    named = ("127.0.0.1:50052", "localhost:50052", "192.168.1.20:50052", "box.example:50052")
    sentence = compute_refusal(Policy(online=online, workers=named), endpoint)
    assert (sentence == "") is allowed
    assert sentence == "" or sentence.endswith(".")


@pytest.mark.parametrize(
    "wrong", ["", "host", "host:", ":50052", "host:0", "host:99999", "a b:1", "u@h:1", "h:1/x", "[::1]:1"]
)
def test_what_is_not_a_further_computer(wrong: str) -> None:
    assert target_of_worker(wrong) is None
    assert "192.168.1.20:50052" in compute_refusal(Policy(online=True, workers=(wrong,)), wrong)
