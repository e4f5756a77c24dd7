"""A proxy and its agent in networks of their own, with a link between them that loses packets: real clients, servers,
and the counters of both ends, which have to agree. It needs root.
"""

import hashlib
import json
import os
import socket
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from networks import Network
from own_agent import Server
from peers import Page
from ssh_server import SSHServer, digest
from support import Process, http, run, tool, wait_until, weir

NET = 86
LOSS = 0.015
# In networks of one's own every port is free.
PROXY_EXPORTER, AGENT_EXPORTER, AGENT = 9101, 9102, 8890
REDIS, IPERF, HALF, GREETER, UNUSED = 6379, 5201, 7001, 7002, 7003
# The port of a route is that of its destination, and this.
OFFSET = 10_000
TRANSFER_SECONDS = 300


class End:
    """A Weir in a network, with its exporter."""

    def __init__(self, network: Network, exporter: int, process: Process):
        self.network, self.exporter, self.process = network, exporter, process
        wait_until("it is ready", lambda: process.check() or self.get("/readyz")[0] == 200, 60)

    def get(self, path: str) -> tuple[int, str]:
        with self.network.entered():
            return http(f"http://127.0.0.1:{self.exporter}{path}")

    def page(self) -> Page:
        status, text = self.get("/metrics")
        assert status == 200, text
        return Page(text)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.process.pid}/fd"))

    def await_line(self, *parts: str):
        """Waits until a line of its log has all of these."""
        wait_until(f"a line has {parts}", lambda: any(
            all(part in line for part in parts) for line in self.process.log.read_text().splitlines()))


class Books:
    """The difference that a test makes at both ends, read when all its connections have ended."""

    def __init__(self, link: "Link"):
        self.link = link
        self.before = [end.page() for end in link.ends]

    def settle(self, route: str, connections: int):
        """Waits until both ends have closed so many connections, and takes their pages."""
        def pages() -> list[Page]:
            return [end.page() for end in self.link.ends]

        self.route = route

        def closed(found: list[Page]) -> bool:
            self.after = found
            return self.counts("weir_tcp_connections_closed_total") == [connections, connections] and all(
                page.total("weir_tcp_connections_active") == 0 for page in found)

        wait_until(f"{connections} connections have ended at both ends", pages, 60, closed)

    def counts(self, name: str, **labels: str) -> list[float]:
        """The additions since the beginning: at the proxy to a route, at the agent to all."""
        return [self.added(end, name, route=route, **labels) for end, route in enumerate((self.route, "edge"))]

    def added(self, end: int, name: str, **labels: str) -> float:
        return self.after[end].total(name, **labels) - self.before[end].total(name, **labels)

    def bytes(self, direction: str) -> list[float]:
        return self.counts("weir_bytes_total", direction=direction)

    def assert_equal(self, route: str, connections: int):
        self.settle(route, connections)
        for direction in ("ingress", "egress"):
            near, far = self.bytes(direction)
            assert near == far > 0, direction
        self.assert_dialed(connections)

    def assert_dialed(self, connections: int):
        """Every dial of the proxy was one tunnel, and one dial of the agent."""
        assert self.counts("weir_dials_total") == [connections, connections]
        assert self.counts("weir_dial_failures_total") == [0, 0]
        assert self.counts("weir_tcp_bytes_discarded_total") == [0, 0]
        assert self.added(0, "weir_agent_handshakes_total", agent="edge") == connections
        assert self.added(0, "weir_agent_handshake_failures_total") == 0
        assert self.added(1, "weir_tunnel_requests_total") == connections
        assert self.added(1, "weir_tunnel_requests_total", result="ok") == connections


class Link:
    """The two networks, Weir in the one, `weir agent` in the other, and the servers beside it."""

    def __init__(self, folder: Path, stack: ExitStack):
        self.near, self.far = stack.enter_context(Network()), stack.enter_context(Network())
        self.near.connect(self.far, NET)
        for end in (self.near, self.far):
            end.lose(NET, LOSS)
        made = run(weir(), "agent", "certificates", "edge", "--directory", str(folder))
        assert made.returncode == 0, made.stderr
        servers = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-ssh-")))
        with self.far.entered():
            self.ssh = SSHServer(servers, with_shell=True)
            stack.callback(self.ssh.process.stop)
            redis = Process(
                folder, tool("redis-server"), "--port", str(REDIS), "--bind", "127.0.0.1", "--dir", str(folder),
                "--save", "", "--appendonly", "no", "--daemonize", "no")
            stack.callback(redis.stop)
            iperf = Process(folder, tool("iperf3"), "-s", "-B", "127.0.0.1", "-p", str(IPERF))
            stack.callback(iperf.stop)
            self.half = stack.enter_context(Server(HALF, answer_behind_the_end))
            self.greeter = stack.enter_context(Server(GREETER, end_before_the_question))
            self.await_listening(redis, REDIS)
            self.await_listening(iperf, IPERF)
        self.targets = {"ssh": self.ssh.port, "redis": REDIS, "iperf": IPERF, "half": HALF, "greeter": GREETER,
                        "unused": UNUSED}
        agent, proxy = self.configure(folder)
        # The agent first: the probe of a proxy that starts finds it.
        with self.far.entered():
            process = stack.enter_context(Process(folder, weir(), "agent", "--config", str(agent)))
        self.agent = End(self.far, AGENT_EXPORTER, process)
        with self.near.entered():
            process = stack.enter_context(Process(folder, weir(), "run", "--config", str(proxy)))
        self.proxy = End(self.near, PROXY_EXPORTER, process)
        self.ends = [self.proxy, self.agent]
        wait_until("the first probe is over", lambda: self.proxy.page().total("weir_agent_up", agent="edge") == 1)
        self.descriptors = wait_until(
            "nothing but the ends is open", self.open_descriptors,
            accept=lambda _: all(end.page().total("weir_tcp_connections_active") == 0 for end in self.ends))

    @staticmethod
    def await_listening(process: Process, port: int):
        def listens() -> bool:
            process.check()
            with closing(socket.socket()) as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        wait_until(f"{process.name} listens", listens, 60)

    def configure(self, folder: Path) -> tuple[Path, Path]:
        agent, proxy = folder / "agent.yml", folder / "proxy.yml"
        allow = ", ".join(f"'tcp:127.0.0.1:{port}'" for port in self.targets.values())
        agent.write_text(
            f"exporter: {{ listen: 127.0.0.1:{AGENT_EXPORTER} }}\nworkers: 2\n"
            f"agent: {{ name: edge, listen: '10.{NET}.0.2:{AGENT}', ca: ca.pem, certificate: server.pem, "
            f"key: server.key, allow: [{allow}] }}\n")
        routes = "".join(
            f"  {name}: {{ scheme: tcp4, bind: 127.0.0.1, agent: edge, host: 127.0.0.1, dial_timeout: 30s, "
            f"port: '{port + OFFSET}:{port}' }}\n" for name, port in self.targets.items())
        proxy.write_text(
            f"exporter: {{ listen: 127.0.0.1:{PROXY_EXPORTER} }}\nworkers: 2\nlog: {{ level: debug }}\nagents:\n"
            f"  edge: {{ address: '10.{NET}.0.2', bundle: edge.zip, probe: {{ interval: 1h, timeout: 20s }} }}\n"
            f"routes:\n{routes}")
        return agent, proxy

    def open_descriptors(self) -> list[int]:
        return [end.descriptors() for end in self.ends]

    def port(self, name: str) -> int:
        return self.targets[name] + OFFSET

    def client(self, name: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port(name)), timeout=60)


def read_all(connection: socket.socket) -> bytes:
    found = bytearray()
    while part := connection.recv(65536):
        found += part
    return bytes(found)


def answer_behind_the_end(connection: socket.socket) -> bytes:
    """Answers once the client has ended, with as much as it has sent."""
    found = read_all(connection)
    connection.sendall(found[::-1])
    return found


GREETING = b"220 ready\r\n"
CONTENT = hashlib.shake_128(b"content").digest(300_000)


def end_before_the_question(connection: socket.socket) -> bytes:
    """Speaks first, ends, and hears what the client says then."""
    connection.sendall(GREETING + CONTENT)
    connection.shutdown(socket.SHUT_WR)
    return read_all(connection)


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    with ExitStack() as stack:
        made = Link(tmp_path_factory.mktemp("link"), stack)
        with made.near.entered():
            yield made


def test_ssh_runs_a_command(link):
    books = Books(link)
    done = link.ssh.ssh(link.port("ssh"), "id -un; cat; exit 7", input="typed\n", timeout=60)
    assert (done.returncode, done.stdout) == (7, f"{link.ssh.user}\ntyped\n"), done.stderr
    books.assert_equal("ssh", 1)


def copy_both_ways(link, folder: Path, size: int):
    original, back = folder / "original", folder / "back"
    original.write_bytes(os.urandom(size))
    books = Books(link)
    for source, target in ((str(original), link.ssh.remote("copy")), (link.ssh.remote("copy"), str(back))):
        copy = link.ssh.scp(link.port("ssh"), source, target)
        output, _ = copy.communicate(timeout=TRANSFER_SECONDS)
        assert copy.returncode == 0, output
    assert digest(link.ssh.files / "copy") == digest(back) == digest(original)
    books.assert_equal("ssh", 2)
    assert min(books.bytes("ingress") + books.bytes("egress")) > size


def test_a_file_goes_there_and_back(link, tmp_path):
    copy_both_ways(link, tmp_path, 5_000_000)


@pytest.mark.long
def test_100_megabytes_go_there_and_back(link, tmp_path, say):
    start = time.monotonic()
    lost = link.near.lost() + link.far.lost()
    copy_both_ways(link, tmp_path, 100_000_000)
    say(f"100 MB there and back: {time.monotonic() - start:.1f} s, "
        f"{link.near.lost() + link.far.lost() - lost} packets lost")


def test_redis_benchmark(link):
    books = Books(link)
    done = run(tool("redis-benchmark"), "-h", "127.0.0.1", "-p", str(link.port("redis")), "-t", "set,get", "-n", "1000",
               "-c", "20", "-d", "512", "-q", timeout=120)
    assert done.returncode == 0 and "GET:" in done.stdout, done.stdout + done.stderr
    with closing(link.client("redis")) as client:
        client.sendall(b"INFO stats\r\n")
        found = b""
        while b"rejected_connections" not in found:
            found += client.recv(65536)
    accepted = int(link.proxy.page().total("weir_tcp_connections_accepted_total", route="redis"))
    # Two rounds of 20 clients, and the one that asks which snapshots there are.
    assert accepted > 40
    books.assert_equal("redis", accepted)


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_iperf(link, direction):
    books = Books(link)
    size = 8 << 20
    done = run(tool("iperf3"), "-c", "127.0.0.1", "-p", str(link.port("iperf")), "--json", "-n", str(size),
               *(["-R"] if direction == "egress" else []), timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    end = json.loads(done.stdout)["end"]
    books.settle("iperf", 2)
    near, far = books.bytes(direction)
    # The client says when the test is over, whatever is still on its way then.
    first, last = (near, far) if direction == "ingress" else (far, near)
    assert first >= last >= end["sum_received"]["bytes"] > 0
    assert first <= end["sum_sent"]["bytes"] + 65_536
    assert books.counts("weir_dials_total") == [2, 2] and books.counts("weir_dial_failures_total") == [0, 0]
    assert books.added(1, "weir_tunnel_requests_total", result="ok") == 2


def test_a_client_ends_before_the_answer(link):
    books = Books(link)
    question = os.urandom(300_000)
    with closing(link.client("half")) as client:
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == question[::-1]
    books.assert_equal("half", 1)
    assert link.half.received[-1] == question
    assert books.counts("weir_tcp_connections_closed_total", reason="client_eof") == [1, 1]
    for message in (" dialed ", "connection closed"):
        link.proxy.await_line(message, f'upstream="127.0.0.1:{HALF} via edge" agent=edge ')
    # The agent's own lines have the address that it has dialed.
    link.agent.await_line("connection closed", f"upstream=127.0.0.1:{HALF} reason=client_eof")


def test_a_server_speaks_first_and_ends_before_the_question(link):
    books = Books(link)
    question = os.urandom(300_000)
    with closing(link.client("greeter")) as client:
        assert read_all(client) == GREETING + CONTENT
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)
        wait_until("the server has heard all", lambda: link.greeter.received == [question])
    books.assert_equal("greeter", 1)
    assert books.counts("weir_tcp_connections_closed_total", reason="upstream_eof") == [1, 1]


def test_a_server_that_refuses_is_the_reason_of_both_ends(link):
    books = Books(link)
    # The reset may come before the client has noticed that it was connected.
    with pytest.raises(ConnectionResetError), closing(link.client("unused")) as client:
        read_all(client)
    books.route = "unused"

    def counted(pages) -> bool:
        books.after = pages
        return books.counts("weir_dial_failures_total", reason="refused") == [1, 1]

    wait_until("both have counted it", lambda: [end.page() for end in link.ends], accept=counted)
    assert books.counts("weir_dial_failures_total") == books.counts("weir_dials_total") == [1, 1]
    upstreams = f"127.0.0.1:{UNUSED} via edge", f"tcp:127.0.0.1:{UNUSED}"
    for end, upstream in zip(link.ends, upstreams):
        assert end.page().total("weir_dial_failures_total", upstream=upstream, reason="refused") == 1, upstream
    # The tunnel itself could be had.
    assert books.after[0].total("weir_agent_handshake_failures_total") == 0
    assert link.agent.page().total("weir_tunnel_requests_total", result="dial_failed") == 1
    link.proxy.await_line("dial failed", f'upstream="127.0.0.1:{UNUSED} via edge" agent=edge reason=refused')


def test_packets_were_lost_and_nothing_else(link):
    """The last one: it looks at what the others have left."""
    assert link.near.lost() > 0 and link.far.lost() > 0
    wait_until("all descriptors are closed", link.open_descriptors,
               accept=lambda found: all(now <= before for now, before in zip(found, link.descriptors)))
    near, far = (end.page() for end in link.ends)
    assert near.total("weir_agent_tunnels_active") == 0
    for name in ("accepted", "closed"):
        one, other = (page.total(f"weir_tcp_connections_{name}_total") for page in (near, far))
        # The agent has also had the proxy's probe.
        probes = near.total("weir_agent_probes_total") if name == "accepted" else 0
        assert other == one + probes > 0, name
    assert near.total("weir_log_lines_dropped_total") == far.total("weir_log_lines_dropped_total") == 0
