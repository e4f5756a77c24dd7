"""Routes through agents that are written with another TLS library: what travels, and the reason of all that fails."""

import json
import os
import socket
import zipfile
from contextlib import ExitStack

import pytest

from agents import (PLAIN, STATUS, WEIR, Agent, Authority, Peer, greet, greeted, hang_up, hang_up_after_question)
from peers import Page
from support import Process, free_port, http, run, wait_until, weir


class Edge:
    """Weir with a route `far` through the agent `edge`, and a route `near` without one."""

    def __init__(self, folder, authority: Authority, agent_port: int, credentials: str = "", route: str = "",
                 probe: str = "{ interval: 1h, timeout: 5s }", has_admin: bool = False):
        self.folder, self.authority = folder, authority
        self.port, self.near, self.exporter, self.echo = (free_port() for _ in range(4))
        self.probe, self.route = probe, route
        self.admin = f"admin: {{ listen: 'unix:{folder}/admin.sock' }}\n" if has_admin else ""
        client = authority.sign("client", "clientAuth")
        self.bundle = authority.bundle(folder / "edge.zip", client)
        self.credentials = credentials or "bundle: edge.zip"
        self.write(agent_port)
        self.process = Process(folder, weir(), "run", "--config", str(folder / "weir.yml"))
        wait_until("Weir is ready", lambda: self.process.check() or self.get("/readyz")[0] == 200, 60)

    def write(self, agent_port: int):
        (self.folder / "weir.yml").write_text(
            f"exporter: {{ listen: 127.0.0.1:{self.exporter} }}\n{self.admin}agents:\n"
            f"  edge: {{ address: '127.0.0.1:{agent_port}', {self.credentials}, probe: {self.probe} }}\nroutes:\n"
            f"  far: {{ scheme: tcp4, bind: 127.0.0.1, agent: edge, host: db.far.test, port: '{self.port}:5432', "
            f"dial_timeout: 5s, {self.route} }}\n"
            f"  near: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: '{self.near}:{self.echo}' }}\n")

    def get(self, path: str):
        return http(f"http://127.0.0.1:{self.exporter}{path}")

    def total(self, name: str, **labels: str) -> float:
        return Page(self.get("/metrics")[1]).total(name, **labels)

    def reason(self, reason: str) -> float:
        return self.total("weir_dial_failures_total", route="far", reason=reason)

    def failure(self, reason: str) -> float:
        return self.total("weir_agent_handshake_failures_total", agent="edge", reason=reason)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.process.pid}/fd"))

    def stop(self):
        self.process.check()
        self.process.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "edge")


@pytest.fixture
def make(tmp_path, authority):
    """Makes an agent and a Weir in front of it, and looks at the end that nothing is left of their tunnels."""
    with ExitStack() as stack:
        def made(protocol: str | None = WEIR, edge: dict | None = None, **options):
            agent = stack.enter_context(Agent(authority, [protocol] if protocol else [], **options))
            proxy = Edge(tmp_path, authority, agent.port, **edge or {})
            stack.callback(proxy.stop)
            baseline = wait_until("the first probe is over", lambda: agent.probes >= 0 and proxy.descriptors())

            def settled():
                active = proxy.total("weir_tcp_connections_active", route="far")
                return (active, proxy.total("weir_agent_tunnels_active", agent="edge")) == (0, 0) and (
                    proxy.descriptors() <= baseline)

            stack.callback(lambda: wait_until("nothing is left", settled))
            return proxy, agent

        yield made


def read_all(client: socket.socket) -> bytes:
    found = b""
    while received := client.recv(65536):
        found += received
    return found


def assert_reset(client: socket.socket):
    with pytest.raises(ConnectionResetError):
        while client.recv(65536):
            pass


def assert_no_tunnel(proxy):
    """The reset may come before the client has noticed that it was connected."""
    with pytest.raises(ConnectionResetError), proxy.connect() as client:
        while client.recv(65536):
            pass


@pytest.mark.parametrize("protocol", [WEIR, PLAIN])
def test_bytes_travel_both_ways(make, protocol):
    proxy, agent = make(protocol)
    payload = os.urandom(3_000_000)
    with proxy.connect() as client:
        client.settimeout(60)
        sent = 0
        found = b""
        while len(found) < len(payload):
            if sent < len(payload):
                sent += client.send(payload[sent:sent + 100_000])
            found += client.recv(200_000)
        assert found == payload
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        own = client.getsockname()
    request = agent.requests[0]
    assert (request.host, request.port) == ("db.far.test", "5432"), "the agent resolves the name"
    if protocol == WEIR:
        assert 0 < request.milliseconds <= 5000 and request.client == own
    assert proxy.total("weir_dials_total", route="far", upstream="db.far.test:5432 via edge") == 1
    assert proxy.total("weir_agent_handshakes_total", agent="edge") == 1
    wait_until("its tunnel has ended", lambda: proxy.total("weir_agent_tunnels_active", agent="edge") == 0)


def test_each_direction_ends_by_itself(make):
    proxy, _ = make(serve=greet)
    with proxy.connect() as client:
        assert read_all(client) == b"hello\n"
        client.sendall(b"goodbye\n")
        client.shutdown(socket.SHUT_WR)
        wait_until("the rest has come", lambda: greeted == [b"goodbye\n"])
    greeted.clear()


FAR_SIDE = {"refused": "refused", "timeout": "timeout", "unreachable": "unreachable", "dns": "dns_failure",
            "denied": "agent_denied", "reset": "reset", "other": "other"}


@pytest.mark.parametrize("slowly", [False, True])
def test_every_status_is_the_reason_of_the_dial(make, slowly):
    proxy, agent = make(slowly=slowly)
    for code, status in enumerate(STATUS):
        if status == "ok":
            continue
        agent.status = bytes((0x57, 1, code, 0))
        reason = FAR_SIDE.get(status, "agent")
        before, failures = proxy.reason(reason), proxy.failure(status) if reason == "agent" else 0
        assert_no_tunnel(proxy)
        wait_until(f"{status} is counted", lambda: proxy.reason(reason) == before + 1)
        if reason == "agent":
            assert proxy.failure(status) == failures + 1
    agent.status = b"W\x01\x00\x00"
    with proxy.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"


@pytest.mark.parametrize("garbage", [b"HTTP", b"W\x02\x00\x00", b"\0\0\0\0"])
def test_another_answer_is_no_status(make, garbage):
    proxy, agent = make()
    agent.status = garbage
    assert_no_tunnel(proxy)
    assert proxy.failure("protocol") == 1 and proxy.reason("agent") == 1


def test_an_end_in_place_of_the_status_is_a_failed_dial(make):
    proxy, agent = make()
    agent.status = b""
    assert_no_tunnel(proxy)
    assert proxy.failure("closed") == 1 and proxy.reason("agent") == 1


def test_without_a_status_an_early_end_is_a_failed_dial(make):
    proxy, agent = make(PLAIN, serve=hang_up)
    assert_no_tunnel(proxy)
    assert proxy.reason("agent") == 1
    agent.serve = hang_up_after_question
    with proxy.connect() as client:
        client.sendall(b"question")
        assert_reset(client)


@pytest.mark.parametrize("protocol", [WEIR, PLAIN])
def test_an_agent_that_stops_in_the_middle_resets_its_clients(make, protocol):
    proxy, agent = make(protocol)
    with proxy.connect() as client, socket.create_server(("127.0.0.1", proxy.echo)) as server, \
            socket.create_connection(("127.0.0.1", proxy.near)) as other:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        accepted = server.accept()[0]
        agent.abort()
        assert_reset(client)
        other.sendall(b"y")
        assert accepted.recv(1) == b"y", "another route goes on"
        accepted.close()


def test_an_agent_restarts_and_changes_its_address(make, authority):
    proxy, agent = make()
    agent.stop()
    assert_no_tunnel(proxy)
    assert proxy.reason("agent") == 1 and proxy.failure("refused") == 1
    for port in (agent.port, free_port()):
        with Agent(authority, [WEIR], port=port):
            proxy.write(port)

            def answers() -> bool:
                try:
                    with proxy.connect() as client:
                        client.sendall(b"x")
                        return client.recv(1) == b"x"
                except ConnectionResetError:
                    return False

            wait_until("it answers again", answers)


def test_wrong_certificates_have_their_reasons(make, authority, tmp_path):
    other = Authority(tmp_path, "other")
    proxy, agent = make()
    cases = {
        "unknown_ca": {"pair": other.sign("server", "serverAuth")},
        "expired": {"pair": authority.sign("old", "serverAuth", days=-1)},
        "name": {"pair": authority.sign("else", "serverAuth", host="other.agent")},
        "rejected": {"clients": other},
    }
    agent.stop()
    for reason, options in cases.items():
        with Agent(authority, [WEIR], port=agent.port, **options):
            assert_no_tunnel(proxy)
        wait_until(f"{reason} is counted", lambda: proxy.failure(reason) == 1)
    assert proxy.reason("agent") == len(cases)


@pytest.mark.parametrize("protocols", [[], ["h2"], ["http/1.1"]])
def test_a_peer_without_tunnels_is_no_agent(make, authority, protocols):
    proxy, agent = make()
    agent.stop()
    with Agent(authority, protocols, port=agent.port):
        assert_no_tunnel(proxy)
    assert proxy.failure("alpn") == 1 and proxy.reason("agent") == 1


def test_a_peer_without_tls_is_no_agent(make):
    proxy, agent = make()
    agent.stop()
    with socket.create_server(("127.0.0.1", agent.port)) as server, proxy.connect() as client:
        connection = server.accept()[0]
        connection.recv(65536)
        connection.sendall(b"SSH-2.0-OpenSSH\r\n" * 10)
        assert_reset(client)
        connection.close()
    assert proxy.reason("agent") == 1


def test_changed_files_are_taken_for_new_tunnels(make, authority, tmp_path):
    other = Authority(tmp_path, "other")
    proxy, agent = make()
    agent.stop()
    with Agent(other, [WEIR], port=agent.port):
        assert_no_tunnel(proxy)
        other.bundle(proxy.bundle, other.sign("client", "clientAuth"), zipfile.ZIP_DEFLATED)

        def answers() -> bool:
            with proxy.connect() as client:
                try:
                    client.sendall(b"x")
                    return client.recv(1) == b"x"
                except ConnectionResetError:
                    return False

        wait_until("the new credentials are used", answers)
    names = 'weir_tls_certificate_last_reload_successful{certificate="edge.zip"} 1'
    assert names in proxy.get("/metrics")[1]


@pytest.mark.parametrize("protocol", [WEIR, PLAIN])
def test_probes_read_the_verdict(make, authority, protocol, tmp_path):
    proxy, agent = make(protocol, edge={"probe": "{ interval: 1s, timeout: 1s }"})

    def up() -> float:
        return proxy.total("weir_agent_up", agent="edge", protocol="tcp")

    wait_until("the agent is up", lambda: up() == 1)
    assert agent.probes > 0
    agent.stop()
    wait_until("the agent is down", lambda: up() == 0)
    assert proxy.total("weir_agent_probes_total", agent="edge", result="unreachable") > 0
    other = Authority(tmp_path, "other")
    with Agent(authority, [protocol], port=agent.port, clients=other):
        wait_until("a refused certificate is no success",
                   lambda: proxy.total("weir_agent_probes_total", agent="edge", result="tls") > 0)
        assert up() == 0
    with Agent(authority, [protocol], port=agent.port):
        wait_until("the agent is up again", lambda: up() == 1)


@pytest.mark.parametrize("protocol", [WEIR, PLAIN])
def test_an_operator_sees_how_the_agent_stands(make, authority, protocol):
    proxy, agent = make(protocol, edge={"probe": "{ interval: 2s, timeout: 2s }", "has_admin": True})

    def told() -> dict:
        document = json.loads(proxy.get("/api/v1/status")[1])
        (found,) = document["agents"]
        assert found["name"] == "edge" and found["address"] == f"127.0.0.1:{agent.port}"
        assert found.get("since", 0) <= found.get("probed", 0) <= document["now"]
        return found

    def printed() -> list[str]:
        made = run(weir(), "status", "--config", str(proxy.folder / "weir.yml"))
        assert made.returncode == 0 and all(len(line) <= 80 for line in made.stdout.splitlines()), made.stderr + made.stdout
        lines = made.stdout.splitlines()
        return lines[lines.index("AGENTS") + 1:]

    up = wait_until("the agent is up", told, accept=lambda found: found.get("up"))
    assert up["protocol"] == protocol and "reason" not in up and up["tunnels"] == 0
    with proxy.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        wait_until("its tunnel is told", told, accept=lambda found: found["tunnels"] == 1)
        assert printed()[0].startswith("edge  ") and printed()[0].endswith(f", {protocol}, tunnels: 1")
    later = wait_until("it was probed again", told, accept=lambda found: found["probed"] > up["probed"] and found["tunnels"] == 0)
    assert abs(later["since"] - up["since"]) < 500, "it is up since then"
    agent.stop()
    down = wait_until("the agent is down", told, accept=lambda found: not found["up"])
    assert down["reason"] == "refused" and down["why"] == "nothing listens at its address" and down["since"] > up["since"]
    assert down["protocol"] == protocol, "the last one that was agreed on"
    assert printed()[1] == "  nothing listens at its address" and "  down for " in printed()[0]
    # At another address nothing is known, until it is probed there.
    with Agent(authority, [protocol]) as other:
        proxy.write(other.port)
        agent.port = other.port
        moved = wait_until("it is up at its new address", lambda: json.loads(proxy.get("/api/v1/status")[1])["agents"][0],
                           accept=lambda found: found.get("up") and found["address"] == f"127.0.0.1:{other.port}")
        assert moved["since"] > down["since"]


def test_checks_are_made_through_the_tunnel(make):
    proxy, agent = make(edge={"route": "health: { check: tcp, interval: 1s, timeout: 1s, fall: 1, rise: 1 }"})

    def up() -> float:
        return proxy.total("weir_upstream_up", route="far")

    wait_until("it is up", lambda: up() == 1 and agent.requests)
    agent.status = bytes((0x57, 1, STATUS.index("refused"), 0))
    wait_until("it is down", lambda: up() == 0)
    assert proxy.total("weir_health_checks_total", route="far", result="refused") > 0
    agent.status = b"W\x01\x00\x00"
    wait_until("it is up again", lambda: up() == 1)


def test_checks_by_the_older_protocol_ask_the_agents_api(make, authority):
    questions = []

    def api(peer: Peer, _):
        questions.append(peer.receive().decode())
        healthy = "true" if len(questions) % 2 else "false"
        peer.send(f'HTTP/1.1 200 OK\r\n\r\n{{"healthy":{healthy},"detail":""}}'.encode())
        peer.finish()

    proxy, agent = make(PLAIN, serve=hang_up, edge={
        "route": "health: { check: tcp, interval: 1s, timeout: 1s, fall: 1, rise: 1 }",
        "probe": "{ interval: 1s, timeout: 1s }"})
    agent.serve = api
    wait_until("the API was asked", lambda: any(question.startswith("GET ") for question in questions))
    assert "scheme=tcp&host=db.far.test&port=5432" in "".join(questions)
    wait_until("its verdict counts", lambda: proxy.total("weir_health_checks_total", route="far", result="refused") > 0)
