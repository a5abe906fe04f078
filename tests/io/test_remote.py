"""Web servers that redirect, stop early, answer something else, or ask for patience."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gscodec.errors import InputError
from gscodec.io.remote import RangeSource

DATA = bytes(range(256)) * 40
Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    answer: Answer
    count = 0

    def do_GET(self) -> None:
        type(self).count += 1
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        self.first, self.last = int(first), min(int(last), len(DATA) - 1)
        type(self).answer(self)
        self.close_connection = True

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def right(self, size: int | None = None, total: str = str(len(DATA)), **headers: str) -> None:
        body = DATA[self.first : self.last + 1][:size]
        self.send(206, body, Content_Range=f"bytes {self.first}-{self.last}/{total}", **headers)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    servers = []

    def start(answer: Answer) -> str:
        handler = type("Handler", (Request,), {"answer": answer, "count": 0})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}/scene.gsc"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def to_new(request: Request) -> None:
    if request.path == "/new":
        request.right()
    else:
        request.send(302, Location="/new")


def test_redirected_and_read_once(serve: Callable[[Answer], str]) -> None:
    with RangeSource(serve(to_new)) as source:
        assert source.read_at(0, 9000) == DATA[:9000]
        assert source.bytes_read == 9000  # the first 4096 are not asked for twice
        assert source.read_at(10_000, 9000) == DATA[10_000:]


BAD: dict[str, tuple[Answer, str]] = {
    "short": (lambda r: r.right(100), "only 100 bytes"),
    "a length that is another": (lambda r: r.right(100, Content_Length="4096"), "IncompleteRead"),
    "no total": (lambda r: r.right(total="*"), "how long"),
    "no digit": (lambda r: r.right(total="\xb2"), "how long"),
    "many digits": (lambda r: r.right(total="9" * 5000), "how long"),
    "to nowhere": (lambda r: r.send(302, Location="http://[::/"), "cannot read"),
    "to a file": (lambda r: r.send(302, Location="file:///etc/hostname"), "cannot read"),
    "in circles": (lambda r: r.send(302, Location="/scene.gsc"), "too many redirects"),
    "empty": (lambda r: r.send(416), "416"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_answers(name: str, serve: Callable[[Answer], str]) -> None:
    answer, message = BAD[name]
    with pytest.raises(InputError, match=message) as caught:
        RangeSource(serve(answer))
    assert caught.value.code == "io.read"


def test_later_answers(serve: Callable[[Answer], str]) -> None:
    source = RangeSource(serve(lambda r: r.right(None if r.first == 0 else 7)))
    with pytest.raises(InputError, match="only 7 of 20 bytes from byte 5000"):
        source.read_at(5000, 20)
    for header in ("ETag", "Last_Modified"):
        source = RangeSource(serve(lambda r, name=header: r.right(**{name: f'"{type(r).count}"'})))
        with pytest.raises(InputError) as caught:
            source.read_at(5000, 20)
        assert caught.value.code == "io.changed"


def test_nobody_waits_for_long(serve: Callable[[Answer], str]) -> None:
    start = time.monotonic()
    with pytest.raises(InputError, match="503"):
        RangeSource(serve(lambda r: r.send(503, Retry_After="3600")))
    assert time.monotonic() - start < 20
