"""The way out: certificates, proxies, names. TLS is real, with an authority of our own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.privacy.errors import ConnectionFailed, NameNotFound, NetworkError, ProxyAway, ProxyFailed, TimedOut, TlsFailed
from app.privacy.ledger import Outcome
from app.privacy.policy import Purpose, Way
from tests.privacy.conftest import Setting
from tests.privacy.servers import Answer, Authority, Proxy, Server, Silent, closing, unused_port


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a name lead to this computer; every other one but addresses is unknown."""
    known: set[str] = set()
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if host in known:
            return real("127.0.0.1", port, *more, **options)
        if str(host).startswith("127."):
            return real(host, port, *more, **options)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known.add


def ask(setting: Setting, url: str, **options: Any) -> Any:
    with setting.gate.action(Purpose.SEARCH, "x"):
        return setting.gate.client().get(url, **options)


def refused(setting: Setting, url: str, kind: type[NetworkError], **options: Any) -> NetworkError:
    with pytest.raises(kind) as caught:
        ask(setting, url, **options)
    assert type(caught.value) is kind
    assert setting.entries[-1].outcome is Outcome.FAILED
    assert setting.entries[-1].reason == caught.value.sentence
    return caught.value


# --- certificates ----------------------------------------------------------------------------------------------------


def test_an_own_authority_is_trusted_once_its_file_is_given(authority: Authority) -> None:
    with closing(server := Server(authority.context("IP:127.0.0.1"))):
        server.answers["/a"] = Answer(body=b"secure")
        setting = Setting(server.origin)
        error = refused(setting, f"{server.origin}/a", TlsFailed)
        assert "certificate file in the settings" in error.sentence
        assert server.seen == []
        assert setting.entries[0].sent_bytes == 0
        setting.way = Way(ca_file=str(authority.file))
        assert ask(setting, f"{server.origin}/a").content == b"secure"
        setting.way = Way()
        refused(setting, f"{server.origin}/a", TlsFailed)
        setting.gate.close()


def test_a_certificate_for_another_name(authority: Authority, names: Callable[[str], None]) -> None:
    names("hub.test")
    with closing(server := Server(authority.context("DNS:other.test"))):
        setting = Setting(f"https://hub.test:{server.port}")
        setting.way = Way(ca_file=str(authority.file))
        assert "another name" in refused(setting, setting.policy.hub, TlsFailed).sentence
        setting.gate.close()


def test_a_certificate_that_has_run_out(authority: Authority) -> None:
    with closing(server := Server(authority.context("IP:127.0.0.1", days=-1))):
        setting = Setting(server.origin)
        setting.way = Way(ca_file=str(authority.file))
        assert "not valid today" in refused(setting, server.origin, TlsFailed).sentence
        setting.gate.close()


def test_no_tls_where_tls_was_expected(hub: Server) -> None:
    setting = Setting(f"https://127.0.0.1:{hub.port}")
    assert "No secure connection" in refused(setting, setting.policy.hub, TlsFailed).sentence
    setting.gate.close()


def test_a_line_that_breaks_before_it_is_secure_may_be_tried_again() -> None:
    """A download of hours makes hundreds of connections; one that ends early says nothing about certificates."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            near, _ = listening.accept()
            with near:
                near.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        setting = Setting(f"https://127.0.0.1:{listening.getsockname()[1]}")
        assert refused(setting, setting.policy.hub, ConnectionFailed).passing
        thread.join(10)
        setting.gate.close()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_certificate_file_that_is_none(tmp_path: Path, content: bytes | None, hub: Server) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    setting = Setting(hub.origin)
    setting.way = Way(ca_file=str(file))
    assert str(file) in refused(setting, hub.origin, TlsFailed).sentence
    setting.way = Way()
    assert ask(setting, hub.origin).status_code == 404
    setting.gate.close()


def test_the_file_comes_on_top_of_the_system_s(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with closing(server := Server(authority.context("IP:127.0.0.1"))):
        setting = Setting(server.origin)
        setting.way = Way(ca_file=str(other.file))
        assert ask(setting, server.origin).status_code == 404
        setting.gate.close()


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_name_that_nobody_knows(names: Callable[[str], None]) -> None:
    setting = Setting("https://hub.test")
    error = refused(setting, "https://hub.test", NameNotFound)
    assert "hub.test could not be looked up" in error.sentence
    assert error.passing
    setting.gate.close()


# --- proxies ---------------------------------------------------------------------------------------------------------


def test_a_proxy_carries_everything_and_cannot_read_it(authority: Authority, names: Callable[[str], None]) -> None:
    server = Server(authority.context("DNS:hub.test"))
    proxy = Proxy(server.port)
    with closing(server, proxy):
        setting = Setting("https://hub.test")
        setting.way = Way(proxy=f"http://me:secret@127.0.0.1:{proxy.port}", ca_file=str(authority.file))
        server.answers["/a"] = Answer(body=b"through")
        assert ask(setting, "https://hub.test/a", headers={"Authorization": "Bearer hf"}).content == b"through"
        assert proxy.asked == ["CONNECT hub.test:443 HTTP/1.1"]
        assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in proxy.headers[0]
        assert b"Bearer" not in proxy.headers[0]
        assert server.seen[0].headers["authorization"] == "Bearer hf"
        assert "proxy-authorization" not in server.seen[0].headers
        (entry,) = setting.entries
        assert entry.host == "hub.test"
        setting.gate.close()


def test_a_certificate_behind_a_proxy_is_the_host_s_affair(authority: Authority, names: Callable[[str], None]) -> None:
    server = Server(authority.context("DNS:hub.test"))
    proxy = Proxy(server.port)
    with closing(server, proxy):
        setting = Setting("https://hub.test")
        setting.way = Way(proxy=proxy.origin)
        assert "hub.test shows a certificate" in refused(setting, "https://hub.test/a", TlsFailed).sentence
        setting.gate.close()


def test_a_proxy_that_refuses(names: Callable[[str], None]) -> None:
    with closing(proxy := Proxy(1, refuse="407 Proxy Authentication Required")):
        setting = Setting("https://hub.test")
        setting.way = Way(proxy=proxy.origin)
        error = refused(setting, "https://hub.test", ProxyFailed)
        assert (error.host, "407" in error.detail, error.passing) == (f"127.0.0.1:{proxy.port}", True, False)
        setting.gate.close()


def test_a_proxy_that_is_not_there(names: Callable[[str], None]) -> None:
    setting = Setting("https://hub.test")
    setting.way = Way(proxy=f"http://127.0.0.1:{unused_port()}")
    error = refused(setting, "https://hub.test", ProxyAway)
    assert "cannot be reached" in error.sentence
    assert error.passing  # as it is when the network is lost for a while
    setting.way = Way(proxy="http://proxy.test:8080")
    refused(setting, "https://hub.test", ProxyAway)
    setting.gate.close()


@pytest.mark.parametrize("address", ["proxy.example:8080", "socks5://127.0.0.1:1080", "http://", "http://u:p@[x:1"])
def test_a_proxy_address_that_is_none(hub: Server, address: str) -> None:
    setting = Setting(hub.origin)
    setting.way = Way(proxy=address)
    error = refused(setting, hub.origin, ProxyFailed)
    assert "u:p" not in error.sentence
    assert hub.seen == []
    setting.gate.close()


def test_a_proxy_that_is_silent(names: Callable[[str], None]) -> None:
    with closing(silent := Silent()):
        setting = Setting("https://hub.test")
        setting.way = Way(proxy=silent.origin)
        refused(setting, "https://hub.test", TimedOut, timeout=0.3)
        setting.gate.close()


def test_the_environment_s_proxy_holds_but_not_for_this_computer(
    authority: Authority, names: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, hub: Server
) -> None:
    server = Server(authority.context("DNS:hub.test", "DNS:near.test"))
    proxy = Proxy(server.port)
    names("near.test")
    monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
    monkeypatch.setenv("HTTP_PROXY", proxy.origin)
    monkeypatch.setenv("NO_PROXY", "near.test")
    with closing(server, proxy):
        setting = Setting("https://hub.test")
        setting.way = Way(ca_file=str(authority.file))
        assert ask(setting, "https://hub.test/a").status_code == 404
        assert proxy.asked == ["CONNECT hub.test:443 HTTP/1.1"]
        setting.change(hub=f"https://near.test:{server.port}")
        assert ask(setting, f"https://near.test:{server.port}/a").status_code == 404
        setting.change(hub=hub.origin)
        assert ask(setting, hub.origin).status_code == 404
        assert len(proxy.asked) == 1
        setting.gate.close()


def test_a_host_that_hangs_up(hub: Server) -> None:
    setting = Setting(hub.origin)
    hub.answers["/a"] = Answer(body=b"x" * 10, cut=0)
    refusal = pytest.raises(ConnectionFailed)
    with refusal, setting.gate.action(Purpose.SEARCH, "x"):
        setting.gate.client().get(f"{hub.origin}/a")
    setting.gate.close()
