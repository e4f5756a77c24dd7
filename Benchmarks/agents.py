"""A proxy and an agent beside two stunnels with the same certificates: what a tunnel adds to an echo, what both ends
take, and what idle tunnels hold.
"""

import contextlib
import os
import socket
import statistics
import time

import echoes
import loads
import processes
from accounting import cpu_seconds, resident_bytes
from idle_memory import BATCH, SETTLE_SECONDS
from proxies import Weir
from report import HIGHER, duration, per_second, size
from tools import Failure, locate

TITLE = "through an agent, both ends"
# A column of its own, beside those of the usual peers.
PEERS = {"stunnel": "two stunnels"}
NAME = "edge-1"
IDLE_TUNNELS = 9000
# Name, path and headers.
BULK = "1 MiB response"
LOADS = {"small request": ("/small", ()), "new connection": ("/small", ("Connection: close",)), BULK: ("/1m", ())}
BAR_BESIDE_ONE_HOP = 2.2


class Pair:
    """Two programs with a tunnel between them. `upstreams` has the ports of a web server and of an echo server."""

    key = title = ""

    def __init__(self, directory, upstreams):
        self.directory = os.path.join(directory, f"{self.key}-agents")
        os.makedirs(self.directory)
        self.certificates = os.path.join(directory, "agent-certificates")
        self.web_upstream, self.echo_upstream = upstreams
        self.web, self.echo, self.tunnel, self.second_tunnel = processes.free_ports(4)
        self.ends = []

    def launch(self, name, command, *ports):
        end = processes.Child(name, command, self.directory)
        self.ends.append(end)
        for port in ports:
            end.wait_until(lambda port=port: processes.is_listening(port), f"listening on {port}")

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def pids(self):
        """The processes of each end."""
        return [[end.pid] for end in self.ends]

    def measured(self, load):
        """The rate of a load, and the processor time of both ends for an operation: with that of threads which have ended,
        such as stunnel's.
        """
        pids = [pid for end in self.pids() for pid in end]
        before = cpu_seconds(pids)
        outcome = load()
        return outcome.operations / outcome.seconds, (cpu_seconds(pids) - before) / outcome.operations

    def stop(self):
        for end in self.ends:
            end.stop()
        self.ends = []


class Stunnels(Pair):
    key, title = "stunnel", PEERS["stunnel"]

    def start(self):
        folder = self.certificates
        head = f"foreground = quiet\ndebug = err\npid =\nCAfile = {folder}/ca.pem\nverifyChain = yes\n"
        server = head + f"cert = {folder}/server.pem\nkey = {folder}/server.key\n" + "".join(
            f"[{name}]\naccept = 127.0.0.1:{tunnel}\nconnect = 127.0.0.1:{upstream}\n"
            for name, tunnel, upstream in (
                ("web", self.tunnel, self.web_upstream), ("echo", self.second_tunnel, self.echo_upstream)))
        client = head + f"client = yes\ncert = {folder}/client.pem\nkey = {folder}/client.key\n" + "".join(
            f"[{name}]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{tunnel}\ncheckHost = godoxy.agent\n"
            for name, port, tunnel in (
                ("web", self.web, self.tunnel), ("echo", self.echo, self.second_tunnel)))
        program = locate("stunnel")
        self.launch("server", [program, self.write("server.conf", server)], self.tunnel, self.second_tunnel)
        self.launch("client", [program, self.write("client.conf", client)], self.web, self.echo)


class WeirWithAgent(Pair):
    key, title = "weir", "Weir"

    def __init__(self, directory, upstreams):
        super().__init__(directory, upstreams)
        self.one_hop, self.exporter, self.far_exporter = (processes.free_port() for _ in range(3))

    def start(self):
        folder = self.certificates
        head = "workers: 2\nlog: {{ level: error }}\nexporter: {{ listen: 127.0.0.1:{} }}\n"
        most = IDLE_TUNNELS + 500
        agent = head.format(self.far_exporter) + (
            f"agent: {{ name: {NAME}, listen: '127.0.0.1:{self.tunnel}', ca: {folder}/ca.pem, "
            f"certificate: {folder}/server.pem, key: {folder}/server.key, "
            f"limits: {{ max_connections: {most}, max_connections_per_certificate: {most} }}, "
            f"allow: ['tcp:127.0.0.1:{self.web_upstream}', 'tcp:127.0.0.1:{self.echo_upstream}'] }}\n")
        pair = f"{{ certificate: {folder}/server.pem, key: {folder}/server.key }}"
        far = f", agent: {NAME} }}\n"
        proxy = (
            f"agents: {{ {NAME}: {{ address: '127.0.0.1:{self.tunnel}', ca: {folder}/ca.pem, "
            f"certificate: {folder}/client.pem, key: {folder}/client.key }} }}\n"
            f"tls: {{ certificates: [{pair}] }}\n" + head.format(self.exporter) + "routes:\n"
            + Weir.route("web", "tcp4", self.web, self.web_upstream).replace(" }\n", far)
            + Weir.route("echo", "tcp4", self.echo, self.echo_upstream).replace(" }\n", far)
            + Weir.route("one", "tcp4", self.one_hop, self.web_upstream).replace(" }\n", ", tls: true }\n"))
        agent_file, proxy_file = self.write("agent.yml", agent), self.write("weir.yml", proxy)
        self.launch("agent", [Weir.program, "agent", "--config", agent_file], self.tunnel)
        self.launch("proxy", [Weir.program, "run", "--config", proxy_file], self.web, self.echo, self.one_hop)


KINDS = (Stunnels, WeirWithAgent)


def measure(_keys, directory, backends, rounds, seconds, report, is_over):
    """Both pairs right after each other for each load, in an order that turns."""
    backends.http()
    echo_port = backends.ports.idle
    if Weir.program is None:
        raise Failure("there is no Weir to run: give --weir PROGRAM")
    processes.run(
        [Weir.program, "agent", "certificates", NAME, "--directory", os.path.join(directory, "agent-certificates")], 30)
    lines = {
        "p50": report.line(TITLE, "echo: p50", duration),
        "added": report.line(TITLE, "echo: p50 less that of no proxy", duration),
        "p99": report.line(TITLE, "echo: p99", duration),
    }
    for name in LOADS:
        lines[name, "rate"] = report.line(TITLE, f"{name}: rate", per_second, HIGHER)
        lines[name, "cost"] = report.line(TITLE, f"{name}: CPU of both ends", duration)
    lines["hop"] = report.line(
        TITLE, f"{BULK}: CPU of both ends ÷ one TLS hop (bar: {BAR_BESIDE_ONE_HOP})", "{:.2f}".format)
    memory = [report.line(TITLE, f"memory of an idle tunnel: {end}", size) for end in ("far end", "near end")]
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes.forked(echoes.serve, processes.listening(echo_port, backlog=4096)))
        pairs = []
        for kind in KINDS:
            pair = kind(directory, (backends.ports.http, echo_port))
            stack.callback(pair.stop)
            pair.start()
            pairs.append(pair)
        for number in range(-1, rounds):
            if is_over():
                report.fail(TITLE, "all", f"no time left for round {number + 1}")
                return
            for pair in pairs[:: 1 if number % 2 else -1]:
                for name, value in _round(pair, echo_port, seconds):
                    # The first round finds cold memory.
                    if number >= 0:
                        lines[name].add(pair.key, value)
        for pair in pairs:
            for line, bytes_each in zip(memory, _idle(pair)):
                line.add(pair.key, bytes_each)


def _round(pair, echo_port, seconds):
    """Yields the name of each measure and its value."""
    with echoes.clients(echo_port) as clients:
        alone = statistics.median(echoes.measure(clients, seconds))
    with echoes.clients(pair.echo) as clients:
        times = echoes.measure(clients, seconds)
    yield "p50", statistics.median(times)
    yield "added", statistics.median(times) - alone
    yield "p99", statistics.quantiles(times, n=100)[98]
    costs = {}
    for name, (path, headers) in LOADS.items():
        rate, costs[name] = pair.measured(lambda: loads.requests(pair.web, path, seconds, headers))
        yield (name, "rate"), rate
        yield (name, "cost"), costs[name]
    if isinstance(pair, WeirWithAgent):
        _rate, one = pair.measured(lambda: loads.requests(pair.one_hop, LOADS[BULK][0], seconds, scheme="https"))
        yield "hop", costs[BULK] / one


def _idle(pair):
    """Memory of each end for each of many tunnels that have had one echo each and are kept."""
    time.sleep(SETTLE_SECONDS)
    before = [resident_bytes(pids) for pids in pair.pids()]
    with contextlib.ExitStack() as opened:
        held = 0
        while held < IDLE_TUNNELS:
            clients = [
                opened.enter_context(socket.create_connection(("127.0.0.1", pair.echo), 30))
                for _ in range(min(BATCH, IDLE_TUNNELS - held))
            ]
            for client in clients:
                echoes.ask(client)
            held += len(clients)
        time.sleep(SETTLE_SECONDS)
        return [(resident_bytes(pids) - start) / held for pids, start in zip(pair.pids(), before)]
