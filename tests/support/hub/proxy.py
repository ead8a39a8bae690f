"""A forwarding proxy on loopback that wants a name and a password, as companies put one between people and the net."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import urllib.parse

from tests.support.hub.files import Server

_OWN = {"proxy-authorization", "proxy-connection", "connection", "keep-alive"}


class ForwardingProxy(Server):
    """`asked` is every address that was asked for with the right password, `refused` counts the others."""

    def __init__(self, name: str, password: str) -> None:
        self._wanted = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
        self.address = ""
        self.asked: list[str] = []
        self.refused = 0
        super().__init__()
        self.address = self.url.replace("http://", f"http://{name}:{password}@")

    def handle(self, request: http.server.BaseHTTPRequestHandler) -> None:
        if request.headers.get("Proxy-Authorization") != self._wanted:
            self.refused += 1
            request.send_response(407)
            request.send_header("Proxy-Authenticate", "Basic")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        self.asked.append(f"{request.command} {request.path}")
        parts = urllib.parse.urlsplit(request.path)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        where = parts._replace(scheme="", netloc="").geturl()
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=30)) as far:
            far.request(request.command, where, headers=headers)
            answer = far.getresponse()
            request.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in (*_OWN, "server", "date"):
                    request.send_header(name, value)
            request.end_headers()
            while block := answer.read(1 << 16):
                request.wfile.write(block)
