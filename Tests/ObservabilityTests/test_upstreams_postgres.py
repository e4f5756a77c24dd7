"""Three PostgreSQL servers behind a route, one of which fails in turn in each way that servers do; and writers that
follow a primary. HAProxy and nginx stand beside Weir with the same servers: their figures are printed.
"""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from databases import Clients, Server, Template
from networks import Silence, own_network
from peers import DIAL_SECONDS, FALL, HAProxy, Nginx, Weir
from support import free_ports, wait_until

pytestmark = pytest.mark.long

# Enough that each client has met every server several times.
MANY = 160
# The others are watched for a while, whatever becomes of their clients.
PEER_SECONDS = 15
PEER_PATIENCE_SECONDS = 5
# Longer than any check takes: a client of Weir that waits in vain is freed by Weir alone, or the test fails.
PATIENCE_SECONDS = 90


@pytest.fixture(scope="module")
def template():
    with own_network():
        made = Template()
        try:
            made.fill(free_ports(1))
            yield made
        finally:
            made.remove()


@pytest.fixture(scope="module")
def servers(template):
    first = free_ports(3)
    made = [Server(template, f"server-{number}", "127.0.0.1", first + number) for number in range(3)]
    yield made
    for server in made:
        server.__exit__()


class Fault:
    """One way to fail, and to come back. `begins_at_rest` says that it begins while no transaction is under way: a
    transaction in a server that is killed is lost whatever a proxy does.
    """

    def __init__(self, name: str, begin, end, begins_at_rest: bool):
        self.name, self.begin, self.end, self.begins_at_rest = name, begin, end, begins_at_rest

    def __str__(self):
        return self.name

    @contextmanager
    def lasting(self, clients: Clients):
        """It lasts as long as the block."""
        if self.begins_at_rest:
            with clients.at_rest():
                self.begin()
        else:
            self.begin()
        try:
            yield
        finally:
            self.end()


def _faults(server: Server) -> list[Fault]:
    silence = Silence(server.port)
    return [
        Fault("killed, refuses", server.kill, server.start, True),
        Fault("dropped by a firewall", silence.begin, silence.end, True),
        Fault("stopped", server.stand_still, server.go_on, False),
    ]


def _weir(folder, servers: list[Server], policy: str) -> Weir:
    return Weir(folder, [f'"{server.name}"' for server in servers], route=f"""
balance: {policy}
dial_timeout: 20s
attempt_timeout: {DIAL_SECONDS}s
health: {{ check: postgres, interval: 1s, timeout: 4s, fall: {FALL}, rise: 2 }}
on_down: close
""")


def _through_weir(weir: Weir, clients: Clients, fault: Fault, servers: list[Server]) -> str:
    """The failed transactions while the server fails, and after it has come back."""
    names = [server.name for server in servers]
    failing, others = names[0], names[1:]
    weir.await_up(*names)
    assert clients.advance(MANY // 2)
    assert clients.failed == 0, clients.complaints
    with fault.lasting(clients):
        weir.await_up(*others)
        # Those that were waiting when it was taken out have been told.
        with clients.at_rest():
            failed = clients.failed
            dials = weir.page().total("weir_dials_total", upstream=failing)
        if fault.begins_at_rest:
            assert failed == 0, clients.complaints
        else:
            # A client waits in one connection at a time, and is free only when the server is out.
            assert failed <= clients.count, clients.complaints
        assert clients.advance(MANY)
        # No client looks whether it is back: that is for its checks.
        assert weir.page().total("weir_dials_total", upstream=failing) == dials
    weir.await_up(*names)
    wait_until("it has clients again", lambda: weir.page().total("weir_dials_total", upstream=failing) > dials)
    assert clients.advance(MANY // 2)
    with clients.at_rest():
        assert clients.failed == failed, clients.complaints
        clients.failed = 0
    return f"{failed} of {clients.count} clients"


def _through(clients: Clients, fault: Fault) -> str:
    clients.advance(MANY // 2, PEER_SECONDS)
    before = clients.failed
    with fault.lasting(clients):
        clients.advance(2 * MANY, PEER_SECONDS)
    clients.advance(MANY // 2, PEER_SECONDS)
    with clients.at_rest():
        return f"{clients.failed - before} transactions"


@pytest.mark.parametrize("policy", ["round_robin", "least_connections"])
def test_no_transaction_fails_that_a_proxy_could_have_saved(policy, servers, tmp_path, say):
    with _weir(tmp_path, servers, policy) as weir, \
            Clients(weir.port, "--select-only", patience_seconds=PATIENCE_SECONDS) as clients:
        for fault in _faults(servers[0]):
            say(f"{policy}, {fault}: Weir failed {_through_weir(weir, clients, fault, servers)}")
        assert weir.page().total("weir_dial_retries_total", result="success") > 0
    for kind in (HAProxy, Nginx):
        for fault in _faults(servers[0]):
            # A new one each time, which holds no failure against the server.
            with kind(tmp_path, [server.name for server in servers], policy) as peer, \
                    Clients(peer.port, "--select-only", patience_seconds=PEER_PATIENCE_SECONDS) as clients:
                say(f"{policy}, {fault}: {peer.name} failed {_through(clients, fault)}")


class Pages:
    """What each server says of its role, at a port of its own address: 200 for the primary, 503 for the others."""

    def __init__(self, hosts: list[str], port: int):
        self.primary, self.old = hosts[0], None
        self.lock = threading.Lock()
        # Asked of the one that was the primary, since it is not.
        self.refusals = 0
        # Called within the check that follows the last one of those that decide.
        self.refused_again = lambda: None
        self.is_told = threading.Event()
        self.servers = [ThreadingHTTPServer((host, port), self._handler(host)) for host in hosts]
        for server in self.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def _handler(pages, host: str):  # noqa: N805 - `self` is the request below
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                assert self.path == "/primary"
                is_primary = host == pages.primary
                if not is_primary and host == pages.old:
                    with pages.lock:
                        pages.refusals += 1
                        if pages.refusals == FALL + 1:
                            pages.refused_again()
                            pages.is_told.set()
                self.send_response(200 if is_primary else 503)
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

    def move(self, host: str):
        self.primary, self.old = host, self.primary

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def test_writers_follow_the_primary_within_the_checks_that_decide(template, tmp_path, say):
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    port, page_port = free_ports(1), free_ports(1)
    servers = [Server(template, f"writer-{host}", host, port) for host in hosts]
    script = tmp_path / "write.sql"
    script.write_text("INSERT INTO writes DEFAULT VALUES;\n")
    pages = Pages(hosts, page_port)
    old, new = servers[0], servers[1]

    def rows(server: Server) -> int:
        return int(server.ask("SELECT count(*) FROM writes"))

    try:
        with Weir(tmp_path, [f'"{server.name}"' for server in servers], route=f"""
health: {{ check: http, path: /primary, port: {page_port}, status: 200, interval: 1s, timeout: 10s,
  fall: {FALL}, rise: 1 }}
when_none: reject
on_down: close
""") as weir:
            weir.await_up(old.name)
            with Clients(weir.port, "--file", str(script), patience_seconds=PATIENCE_SECONDS) as clients:
                assert clients.advance(MANY // 2)
                # No client at all has met a server that is not the primary.
                assert rows(old) >= MANY // 2 and rows(new) == 0 and clients.failed == 0, clients.complaints
                at_next_check = []
                pages.refused_again = lambda: at_next_check.append(weir.page())
                pages.move(new.host)
                # The next check of the old one: the last of those that decide is over, and so is its effect.
                assert pages.is_told.wait(90), "it is not checked any more"
                assert at_next_check[0].total("weir_upstream_up", upstream=old.name) == 0
                dials = at_next_check[0].total("weir_dials_total", upstream=old.name)
                weir.await_up(new.name)
                with clients.at_rest():
                    failed, written = clients.failed, rows(old)
                assert clients.advance(MANY)
                with clients.at_rest():
                    end = weir.page()
                    # A worker that had chosen before the check was over may have been on its way.
                    assert end.total("weir_dials_total", upstream=old.name) <= dials + clients.count
                    assert rows(old) == written
                    assert rows(new) >= MANY
                    assert rows(servers[2]) == 0
                    assert clients.failed == failed, clients.complaints
                    # No write is lost, and none is made twice: at most those are uncertain whose client was cut off.
                    assert clients.done <= rows(old) + rows(new) <= clients.done + failed
                    rejected = end.total("weir_tcp_connections_rejected_total", reason="no_upstream")
                say(f"writers: {failed} failed while there was no primary, {rejected:.0f} turned away; "
                    f"checks until the old one was out: {FALL}")
    finally:
        pages.stop()
        for server in servers:
            server.__exit__()
