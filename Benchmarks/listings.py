"""What an operator's lists cost clients: small requests while 9,000 other connections are listed again and again."""

import contextlib
import os
import socket
import threading

import idle_memory
import loads
from proxies import Weir
from report import count, duration
from tools import Failure

CONNECTIONS = 9000
TITLE = f"{CONNECTIONS:,} connections listed beside small requests"
# Between the end of a list and the next one.
PAUSE_SECONDS = 0.5
TARGETS = ("/v1/connections", "/v1/top")
SHORTEST_RUN = 3


class WeirWithAdmin(Weir):
    """With a socket for commands."""

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.socket = os.path.join(self.directory, "admin.sock")

    def configuration(self):
        return f"admin: {{ listen: 'unix:{self.socket}' }}\n" + super().configuration()


class _Lister:
    """Asks for lists until the block ends; what failed is raised then."""

    def __init__(self, path):
        self.lists = 0
        self._path, self._failure = path, None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        if self._failure is not None:
            raise Failure(f"a list failed: {self._failure}")

    def _run(self):
        try:
            while not self._is_over.wait(PAUSE_SECONDS):
                for target in TARGETS:
                    self._ask(target)
                    self.lists += 1
        except (Failure, OSError) as failure:
            self._failure = failure

    def _ask(self, target):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(self._path)
            client.sendall(f"GET {target} HTTP/1.1\r\n\r\n".encode())
            answer = b""
            while part := client.recv(1 << 16):
                answer += part
        if answer.split(maxsplit=2)[1] != b"200":
            raise Failure(answer[:200].decode("utf-8", "replace"))


def measure(directory, backends, rounds, seconds, report, is_over):
    """Runs with and without lists take turns; requests come at a rate that neither changes."""
    seconds = max(SHORTEST_RUN, seconds)
    ratio = report.line(TITLE, "p99 ÷ p99 without lists (bar: 1.05)", "{:.3f}".format)
    tail = report.line(TITLE, "p99 of the requests, with lists", duration, better=None)
    made = report.line(TITLE, "lists made", count, better=None)
    with contextlib.ExitStack() as cleanup:
        listener = cleanup.enter_context(socket.create_server(("127.0.0.1", backends.ports.idle), backlog=1024))
        listener.settimeout(10)
        backends.http()
        proxy = WeirWithAdmin(directory, backends.ports, "-listed")
        cleanup.callback(proxy.stop)
        proxy.start()
        idle_memory.open_connections(cleanup, proxy.ports.idle, listener, CONNECTIONS)
        for number in range(-1, rounds):
            if is_over():
                report.fail(TITLE, "weir", "no time left")
                return
            found = {}
            for is_listed in (True, False) if number % 2 else (False, True):
                lister = _Lister(proxy.socket)
                with lister if is_listed else contextlib.nullcontext():
                    found[is_listed] = loads.paced_requests(proxy.ports.http, "/small", seconds, directory).p99_seconds
                if is_listed and number >= 0:
                    made.add("weir", lister.lists)
            # The first round finds cold memory.
            if number >= 0:
                ratio.add("weir", found[True] / found[False])
                tail.add("weir", found[True])
