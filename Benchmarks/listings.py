"""An operator's lists and clients: small requests beside 9,000 connections that are listed again and again."""

import contextlib
import os
import socket

import idle_memory
import loads
from proxies import Weir
from repeated import Repeated
from report import count, duration
from tools import Failure

CONNECTIONS = 9000
TITLE = f"{CONNECTIONS:,} connections listed beside small requests"
# Between the end of both lists and the next ones.
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


def _list(path):
    """Asks for each list."""
    for target in TARGETS:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(path)
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
                lister = Repeated("a list", PAUSE_SECONDS, lambda: _list(proxy.socket))
                with lister if is_listed else contextlib.nullcontext():
                    found[is_listed] = loads.paced_requests(proxy.ports.http, "/small", seconds, directory).p99_seconds
                if is_listed and number >= 0:
                    made.add("weir", lister.count * len(TARGETS))
            # The first round finds cold memory.
            if number >= 0:
                ratio.add("weir", found[True] / found[False])
                tail.add("weir", found[True])
