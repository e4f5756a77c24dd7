"""Thousands of clients that connect to a port with names and say nothing, beside clients that say theirs."""

import resource
import socket
import threading

import pytest

from peers import Page, WeirByName
from support import REPOSITORY, http, wait_until
from world import EchoServer

pytestmark = pytest.mark.long

CLIENTS = 9000
SOURCES = [f"127.0.0.{number}" for number in range(10, 19)]
HONEST, SLOW = "127.0.1.1", "127.0.1.2"
NAME = "www.example.net"
HELLO = (REPOSITORY / "Fuzz/Corpus/ClientHello/openssl-1.3").read_bytes()
# The begin of a hello, and less than the header of its record.
BEGIN = HELLO[:3]
# Of the program's memory for each, beside the kernel's.
MAX_BYTES_PER_CLIENT = 2048


def connect(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 60, (source, 0))


def flood(port: int) -> list[socket.socket]:
    """Clients of several addresses, each of which sends nothing or the begin of a hello. They stay."""
    clients = []
    for number in range(CLIENTS):
        try:
            clients.append(connect(port, SOURCES[number % len(SOURCES)]))
            if number % 2:
                clients[-1].sendall(BEGIN)
        except ConnectionError:
            pass  # It had to give way already.
    return clients


def is_echoed(client: socket.socket, data: bytes) -> bool:
    """Whether the upstream sends back what the client sends."""
    client.sendall(data)
    received = b""
    while len(received) < len(HELLO):
        piece = client.recv(65536)
        if not piece:
            return False
        received += piece
    return received == HELLO


class Watch:
    """Clients with names, one after the other, and a scrape behind each."""

    def __init__(self, weir: WeirByName):
        self.weir, self.served, self.failures, self.pages = weir, 0, [], []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._is_over.is_set():
            try:
                with connect(self.weir.port, HONEST) as client:
                    if is_echoed(client, HELLO):
                        self.served += 1
                    else:
                        self.failures.append("no echo")
            except OSError as error:
                self.failures.append(repr(error))
            self.pages.append(http(f"http://127.0.0.1:{self.weir.exporter}/metrics")[1])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


class Counts:
    """The books of the listener, and the memory of the process."""

    def __init__(self, page: Page):
        self.accepted = page.total("weir_listener_connections_accepted_total")
        self.undecided = page.total("weir_listener_connections_undecided")
        self.rejected = page.total("weir_listener_connections_rejected_total")
        self.overflow = page.total("weir_listener_connections_rejected_total", reason="overflow")
        self.hellos = page.total("weir_tls_hellos_total")
        self.timeout = page.total("weir_tls_hellos_total", result="timeout")
        self.closed = page.total("weir_tls_hellos_total", result="closed")
        self.name = page.total("weir_tls_hellos_total", result="name")
        self.memory = page.total("process_resident_memory_bytes")
        assert self.accepted == self.undecided + self.rejected + self.hellos
        assert self.rejected == self.overflow
        assert self.hellos == self.name + self.timeout + self.closed


@pytest.fixture
def descriptors():
    """As many as this process may have: each client is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > CLIENTS + 500, f"needs {CLIENTS + 500} descriptors (ulimit -Hn)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def echo():
    server = EchoServer()
    yield server
    server.stop()


def test_silent_clients_are_bounded_and_counted_while_others_are_served(descriptors, echo, tmp_path, say):
    def routes(hello_timeout: str) -> dict:
        return {"named": (echo.port, f", sni: {NAME}, hello_timeout: {hello_timeout}"),
                "rest": (echo.port, f", hello_timeout: {hello_timeout}")}

    with WeirByName(tmp_path, routes("1h")) as weir:
        def counts() -> Counts:
            return Counts(weir.page())

        # What is made once is there, and a slow client is the first of all.
        for _ in range(200):
            with connect(weir.port, HONEST) as client:
                assert is_echoed(client, HELLO)
        slow = connect(weir.port, SLOW)
        slow.sendall(BEGIN)
        before = wait_until("the slow client is there", counts, accept=lambda found: found.undecided == 1)
        limit = weir.page().total("weir_connections_limit") // 4
        assert limit < CLIENTS / 2

        with Watch(weir) as watch:
            clients = flood(weir.port)
        assert watch.served > 0 and not watch.failures
        for page in watch.pages:
            Counts(Page(page))
        full = wait_until("all are accepted", counts, accept=lambda found: (
            found.accepted == 200 + 1 + CLIENTS + watch.served and found.name == 200 + watch.served))
        # The last clients with a whole hello have taken the places of silent ones, and left them.
        assert limit - 2 <= full.undecided <= limit and full.timeout == 0
        per_client = (full.memory - before.memory) / full.undecided
        say(f"{per_client:.0f} bytes for each of {full.undecided:.0f} undecided clients")
        assert per_client <= MAX_BYTES_PER_CLIENT
        # The network with one client has lost none.
        assert is_echoed(slow, HELLO[len(BEGIN):])

        # Those that are there keep their hour.
        weir.reload(routes("5s"))
        for client in clients:
            client.close()
        gone = wait_until("they are gone", counts, accept=lambda found: found.undecided == 0)
        with Watch(weir) as watch:
            again = flood(weir.port)
        end = wait_until("all have had their time", counts, accept=lambda found: found.undecided == 0)
        assert watch.served > 0 and not watch.failures
        for page in watch.pages:
            Counts(Page(page))
        assert end.timeout > 0 and end.closed == gone.closed
        assert end.timeout + end.overflow - gone.overflow == CLIENTS
        say(f"{end.timeout:.0f} timed out, {end.overflow - gone.overflow:.0f} gave way")
        # Their memory is used again.
        assert end.memory - full.memory <= CLIENTS * MAX_BYTES_PER_CLIENT / 4
        for client in again:
            client.close()
