"""A small HTTP server whose answers a test chooses by the Host header."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Answers = Mapping[tuple[str, str], tuple[int, bytes]]
"""(host, path) → status and body."""


@contextmanager
def serving(
    answers: Answers,
    seen: list[Mapping[str, str]] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """The server's address; ``seen`` collects the requests' headers; with ``tls`` it speaks that
    alone."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if seen is not None:
                seen.append(dict(self.headers))
            status, body = answers[self.headers["Host"], self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:
            """Says nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
