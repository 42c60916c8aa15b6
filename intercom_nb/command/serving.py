"""A log as a live page: served to this computer alone, behind an address that nobody can guess.

It reads the log only, whoever writes it. Requests that name another host are refused, so that no page of elsewhere can
have a browser ask for it under a name of its own.
"""

import hmac
import html
import json
import secrets
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from intercom_nb.errors import InterComError
from intercom_nb.log.reading import querying
from intercom_nb.views.answers import answer
from intercom_nb.views.feed import facts_since, is_much, last_seq, newest_facts
from intercom_nb.views.widget import bundle

__all__ = ["LogServer"]

_HERE = "127.0.0.1"
_LOOKS_S = 0.25  # between two looks at the log's files
_ALIVE_LOOKS = 40  # looks after which a page that has gone away is noticed
_LARGEST = 100_000  # bytes of a question
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class LogServer(ThreadingHTTPServer):
    """Serves one log until it is closed.

    Parameters
    ----------
    log : Path
        The log.
    port : int, default 0
        The port; 0 for one that is free.

    Raises
    ------
    LogError
        If there is no such log.
    OSError
        If the port is taken.

    Examples
    --------
    >>> with LogServer(intercom.log) as server:
    ...     server.address.startswith("http://127.0.0.1:")
    True
    """

    daemon_threads = False  # each ends by itself once the server does, and is waited for

    def __init__(self, log: Path, port: int = 0) -> None:
        with querying(log) as query:
            name = dict(query("SELECT key, value FROM meta"))["name"]
        self.log = Path(log)
        self.over = threading.Event()
        self.token = secrets.token_urlsafe(32)
        page = files("intercom_nb.command") / "page"
        script, style = bundle()
        html_page = (page / "live.html").read_text("utf-8").replace("{title}", html.escape(f"{name} – intercom_nb"))
        self.pages = {
            "": ("text/html", html_page),
            "live.js": ("text/javascript", (page / "live.js").read_text("utf-8")),
            "views.js": ("text/javascript", script),
            "views.css": ("text/css", style),
        }
        super().__init__((_HERE, port), _Answering)

    @property
    def address(self) -> str:
        """Where the page is; whoever has it can read the log."""
        return f"http://{_HERE}:{self.server_address[1]}/{self.token}/"

    def server_close(self) -> None:
        """End every page's connection, and let the port go."""
        self.over.set()
        super().server_close()

    def batches(self, seq: int) -> Iterator[dict[str, Any] | None]:
        """Yield what a page is told after a place in the log, as it is written; None now and then while nothing is."""
        n, seen = 0, None
        while not self.over.is_set():
            now = self._written()
            if now != seen:
                seen, n = now, n + 1
                told, seq = self._since(seq, n, anew=n == 1)
                yield told
            for look in range(_ALIVE_LOOKS):
                if self.over.wait(_LOOKS_S) or self._written() != seen:
                    break
                if look == _ALIVE_LOOKS - 1:
                    yield None

    def _since(self, seq: int, n: int, *, anew: bool) -> tuple[dict[str, Any], int]:
        with querying(self.log) as query:
            reset = (anew and seq == 0) or is_much(query, seq)
            facts, before = newest_facts(query) if reset else (facts_since(query, seq), None)
        told = {"kind": "facts", "n": n, "reset": reset, "facts": facts, "live": None}
        return told if before is None else {**told, "before": before}, last_seq(facts, seq)

    def _written(self) -> tuple[tuple[int, int], ...]:
        """Return what tells that somebody wrote: size and time of the log's files."""
        found = (file for file in (self.log, self.log.with_name(f"{self.log.name}-wal")) if file.exists())
        return tuple((stat.st_size, stat.st_mtime_ns) for stat in (file.stat() for file in found))

    def answer_to(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what a page has asked for, or a sentence that says why not."""
        try:
            with querying(self.log, told=False) as query:
                return answer(query, asked)
        except KeyError as error:
            return {"error": f"{asked.get('what')} needs {error}"}
        except (InterComError, ValueError, TypeError, AttributeError, RecursionError) as error:
            return {"error": str(error)}


class _Answering(BaseHTTPRequestHandler):
    """One request. Nothing is kept between two of them, and nothing is written to the terminal."""

    server: LogServer
    server_version = "intercom-nb"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        """Give the page, a part of it, or the facts as they come."""
        wanted = self._wanted()
        if wanted == "facts":
            self._stream()
        elif wanted in self.server.pages:
            kind, text = self.server.pages[wanted]
            self._give(kind, text)
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Answer a question of the page."""
        length = self.headers.get("Content-Length", "")
        if self._wanted() != "ask" or self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.NOT_FOUND)
        elif not length.isascii() or not length.isdigit() or int(length) > _LARGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            try:
                asked = json.loads(self.rfile.read(int(length)))
            except (ValueError, RecursionError):
                asked = None
            if isinstance(asked, dict):
                self._give("application/json", json.dumps(self.server.answer_to(asked), ensure_ascii=True))
            else:
                self._refuse(HTTPStatus.BAD_REQUEST)

    def _wanted(self) -> str | None:
        """Return what is asked for below the secret path; None if it is not below it, or by another host's name."""
        port = self.server.server_address[1]
        if self.headers.get("Host") not in (f"{_HERE}:{port}", f"localhost:{port}"):
            return None
        token, slash, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        return rest if slash and hmac.compare_digest(token.encode(), self.server.token.encode()) else None

    def _stream(self) -> None:
        given = parse_qs(urlsplit(self.path).query).get("seq", ["0"])[0]
        self._head("text/event-stream")
        try:
            for batch in self.server.batches(int(given) if given.isascii() and given.isdigit() else 0):
                line = ":" if batch is None else f"data: {json.dumps(batch, ensure_ascii=True)}"
                self.wfile.write(f"{line}\n\n".encode())
        except (OSError, InterComError):
            return  # the page was closed, or the log is gone: the end of the stream tells the page

    def _give(self, kind: str, text: str) -> None:
        self._head(f"{kind}; charset=utf-8")
        self.wfile.write(text.encode())

    def _head(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_error(status)

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal belongs to whoever started the command."""
