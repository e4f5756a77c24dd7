"""Tunnels with other programs at one end: openssl(1), and Go's crypto/tls, the library of the agent that their older
protocol comes from.
"""

import os
import select
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

# The fixtures are named by the arguments of tests.
from agent_pair import Proxy, authority, client, make_agent, server, stack  # noqa: F401
from agents import Authority
from encryption import Echo, exchange
from support import Process, free_port, run, tool, wait_until
from tunnels import PLAIN, PROBE, WEIR, header, request

BYTES = 3_000_000


@pytest.fixture
def echo():
    with Echo() as made:
        yield made


@pytest.fixture
def agent(stack, authority, server, echo, tmp_path):
    made = make_agent(stack, tmp_path, free_port(), authority, server, [echo.port])
    baseline = made.descriptors()
    yield made
    made.settles(baseline)


# openssl(1)


class Client:
    """`openssl s_client`, which passes on what it is given. Without `pair` it shows no certificate."""

    def __init__(self, port: int, authority: Authority, pair: tuple | None, protocol: str | None, *options: str):
        own = ["-cert", str(pair[0]), "-key", str(pair[1])] if pair else []
        offered = ["-alpn", protocol] if protocol else []
        self.process = subprocess.Popen(
            [tool("openssl"), "s_client", "-quiet", "-connect", f"127.0.0.1:{port}", "-servername", "godoxy.agent",
             "-verify_hostname", "godoxy.agent", "-verify_return_error", "-CAfile", str(authority.certificate), *own,
             *offered, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def send(self, message: bytes):
        self.process.stdin.write(message)
        self.process.stdin.flush()

    def receive(self, count: int) -> bytes:
        found = b""
        while len(found) < count and select.select([self.process.stdout], [], [], 20)[0]:
            part = os.read(self.process.stdout.fileno(), count - len(found))
            if not part:
                break
            found += part
        return found

    def end(self) -> str:
        """Waits until the peer has ended the connection, and returns what it has complained of."""
        _, complaints = self.process.communicate(timeout=20)
        return complaints.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def port_of(agent) -> int:
    return int(agent.file.read_text().split("listen: '127.0.0.1:")[1].split("'")[0])


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssls_client_has_tunnels_probes_and_pages(agent, echo, authority, client, version):
    port = port_of(agent)
    for protocol, message, status in (
            (WEIR, request("127.0.0.1", echo.port), b"W\x01\x00\x00"), (PLAIN, header("127.0.0.1", echo.port), b"")):
        with Client(port, authority, client, protocol, version) as peer:
            peer.send(message + b"early")
            assert peer.receive(len(status) + 5) == status + b"early"
            peer.send(b"late")
            assert peer.receive(4) == b"late"
    for protocol, message, status in (
            (WEIR, request("", "", flags=PROBE), b"W\x01\x00\x00"), (PLAIN, header("", "", flags=PROBE), b"")):
        with Client(port, authority, client, protocol, version) as peer:
            peer.send(message)
            assert peer.receive(5) == status
            assert "alert" not in peer.end()
    for protocol in ("http/1.1", None):
        with Client(port, authority, client, protocol, version) as peer:
            peer.send(b"GET /godoxy/agent/name HTTP/1.1\r\nHost: godoxy.agent\r\nConnection: close\r\n\r\n")
            assert peer.receive(65536).endswith(b"\r\n\r\nedge")
    agent.await_counted(2, "weir_tunnel_requests_total", result="ok")
    agent.await_counted(2, "weir_tunnel_requests_total", result="probe")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssls_client_is_refused_for_the_reason_that_it_is_told(agent, authority, client, server, tmp_path, version):
    port, stranger = port_of(agent), Authority(tmp_path, "stranger")
    cases = (
        # The client's certificate and protocol; the alert that it reads, and the agent's reason.
        (None, WEIR, "40" if version == "-tls1_2" else "116", "no_certificate"),
        (stranger.sign("stranger", "clientAuth"), WEIR, "48", "unknown_ca"),
        (authority.sign(f"late{version}", "clientAuth", days=-1), WEIR, "45", "expired"),
        # One for servers only.
        (server, WEIR, "43", "unknown_ca"),
        (client, "h2", "120", "protocol"),
    )
    for pair, protocol, alert, reason in cases:
        before = agent.total("weir_tls_handshake_failures_total", route="edge", reason=reason)
        with Client(port, authority, pair, protocol, version) as peer:
            try:
                peer.send(request("", "", flags=PROBE))
            except BrokenPipeError:
                pass
            complaints = peer.end()
            assert f"alert number {alert}" in complaints, (reason, complaints)
        agent.await_counted(before + 1, "weir_tls_handshake_failures_total", route="edge", reason=reason)
    assert agent.total("weir_tunnel_requests_total") == 0


# Go


@pytest.fixture(scope="module")
def go_peer(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("go")
    made, source = folder / "agent_peer", Path(__file__).with_name("agent_peer.go")
    environment = os.environ | {
        "GO111MODULE": "off", "CGO_ENABLED": "0", "GOCACHE": str(folder / "go-cache"), "GOPATH": str(folder / "go")}
    built = run(tool("go"), "build", "-o", str(made), str(source), env=environment)
    assert built.returncode == 0, built.stderr
    return made


def credentials(authority: Authority, pair: tuple) -> list[str]:
    return ["-authority", str(authority.certificate), "-certificate", str(pair[0]), "-key", str(pair[1])]


@pytest.mark.long
def test_a_client_in_go(go_peer, agent, echo, authority, client):
    done = run(str(go_peer), "-address", f"127.0.0.1:{port_of(agent)}", *credentials(authority, client), "-host",
               "localhost", "-port", str(echo.port), "-bytes", str(BYTES))
    assert (done.returncode, done.stdout) == (0, f"0 {PLAIN} {BYTES}\n"), done.stderr
    for result in ("ok", "probe"):
        agent.await_counted(1, "weir_tunnel_requests_total", result=result)


@pytest.mark.long
def test_an_agent_in_go(go_peer, stack, echo, authority, server, client, tmp_path):
    port, unused = free_port(), free_port()
    agent = stack.enter_context(Process(
        tmp_path, str(go_peer), "-mode", "agent", "-address", f"127.0.0.1:{port}", *credentials(authority, server)))
    # The agent runs before the first probe.
    wait_until("it listens", lambda: agent.check() or f":{port:04X} " in Path("/proc/net/tcp").read_text())
    proxy = Proxy(stack, tmp_path, {"edge": (f"127.0.0.1:{port}", authority.certificate, client)},
                  {"far": ("edge", echo.port, ", half_close_timeout: 1s"), "unused": ("edge", unused, "")})
    baseline = proxy.descriptors()
    assert proxy.total("weir_agent_up", agent="edge") == 1
    assert "probe" in agent.log.read_text()
    payload = os.urandom(100_000)
    with closing(proxy.connect("far")) as peer:
        for _ in range(20):
            assert exchange(peer, payload) == payload
    # The client's end reaches the agent, which does not pass it on.
    proxy.await_counted(1, "weir_tcp_connections_closed_total", route="far", reason="half_close_timeout")
    proxy.fails("unused")
    proxy.await_counted(1, "weir_dial_failures_total", route="unused", reason="agent")
    proxy.settles(baseline)
    assert "tunnel\n" in agent.log.read_text() and "malformed" not in agent.log.read_text()
