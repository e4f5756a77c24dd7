"""What denied clients cost: how fast connections are accepted and denied, and what a denied flood takes from others."""

import contextlib
import itertools
import multiprocessing
import socket
import time

import processes
import proxies
from report import duration, per_second
from tools import Failure

DENY_TITLE = "connections: accepted and denied, beside accepted and relayed"
FLOOD_TITLE = "an allowed UDP flow beside a denied flood"

# How the routes of these rows deny.
DENIAL = 'acl: { deny: ["cidr:127.66.0.0/16"] }'
DENIED_SOURCES = [f"127.66.0.{number}" for number in range(1, 17)]
ALLOWED_SOURCE = "127.0.0.1"

# Enough to keep both cores busy while each waits for its own answers.
CLIENTS = 12
REQUEST = b"GET /small HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
IP_BIND_ADDRESS_NO_PORT = 24

FLOOD_PER_SECOND = 20_000
FLOOD_SOCKETS = 64
WINDOW = 8
DATAGRAM = b"x" * 64
_fork = multiprocessing.get_context("fork")


class DenyingWeir(proxies.Weir):
    """Weir with one TCP route for everybody, one that denies, and a UDP route that denies."""

    title = "Weir that denies"

    def configuration(self):
        open_route = self.route("open", "tcp4", self.ports.http, self.upstreams.http)
        routes = [self._denying("closed", "tcp4", self.ports.idle, self.upstreams.http)]
        routes.append(self._denying("flooded", "udp4", self.ports.dns, self.upstreams.idle))
        return self.head() + open_route + "".join(routes)

    def _denying(self, *arguments):
        return self.route(*arguments).replace(" }\n", f", {DENIAL} }}\n")

    def listening_ports(self):
        return (self.ports.http, self.ports.idle, self.exporter_port)


@contextlib.contextmanager
def _weir(directory, backends, label):
    weir = DenyingWeir(directory, backends.ports, label)
    try:
        weir.start()
        yield weir
    finally:
        weir.stop()


# Connections -----------------------------------------------------------------------------------------------------------


def connections(directory, backends, rounds, seconds, report, is_over):
    """The same clients, in turns: those that are relayed get an answer, those that are denied none."""
    relayed = report.line(DENY_TITLE, "accepted and relayed", per_second, better=None)
    denied = report.line(DENY_TITLE, "accepted and denied", per_second, better=None)
    ratio = report.line(DENY_TITLE, "denied ÷ relayed", _ratio, better=None)
    backends.http()
    with _weir(directory, backends, "-denies") as weir:
        _load(weir.ports.http, [ALLOWED_SOURCE], 0.5)
        _load(weir.ports.idle, DENIED_SOURCES, 0.5)
        for round_number in range(rounds):
            if is_over():
                report.fail(DENY_TITLE, "weir", f"no time left for round {round_number + 1}")
                return
            answered, refused = _load(weir.ports.http, [ALLOWED_SOURCE], seconds)
            if refused:
                raise Failure(f"{refused} connections were denied that should be relayed")
            answered_there, refused_there = _load(weir.ports.idle, DENIED_SOURCES, seconds)
            if answered_there:
                raise Failure(f"{answered_there} connections were relayed that should be denied")
            if not answered or not refused_there:
                raise Failure("no connection was made")
            relayed.add("weir", answered / seconds)
            denied.add("weir", refused_there / seconds)
            ratio.add("weir", refused_there / answered)


def _load(port, sources, seconds):
    """How many connections were answered, and how many refused, by clients that open one after the other."""
    results = _fork.SimpleQueue()
    clients = [
        _fork.Process(target=_connect, args=(port, sources[number % len(sources)], seconds, results), daemon=True)
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if any(client.exitcode != 0 for client in clients):
        raise Failure("a client of the benchmark failed")
    found = [results.get() for _ in clients]
    return sum(answered for answered, _ in found), sum(refused for _, refused in found)


def _connect(port, source, seconds, results):
    answered = refused = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as client:
            client.settimeout(5)
            client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            client.bind((source, 0))
            received = b""
            try:
                client.connect(("127.0.0.1", port))
                client.sendall(REQUEST)
                while piece := client.recv(4096):
                    received = piece
            except ConnectionError:
                pass
            if received:
                answered += 1
            else:
                refused += 1
    results.put((answered, refused))


# Datagrams -------------------------------------------------------------------------------------------------------------


def flood(directory, backends, rounds, seconds, report, is_over):
    """A flow of questions and answers beside the same flood, sent to a socket that no process reads and to Weir: the
    difference is the work that Weir does for it."""
    beside = report.line(FLOOD_TITLE, "answers, flood goes elsewhere", per_second, better=None)
    under = report.line(FLOOD_TITLE, "answers, flood is denied", per_second, better=None)
    ratio = report.line(FLOOD_TITLE, "denied ÷ elsewhere", _ratio, better=None)
    longest = report.line(FLOOD_TITLE, "p99 of the answers, flood is denied", duration, better=None)
    with contextlib.ExitStack() as stack:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", backends.ports.idle))
        stack.enter_context(processes.forked(_echo, server))
        weir = stack.enter_context(_weir(directory, backends, "-flooded"))
        elsewhere = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        elsewhere.bind((ALLOWED_SOURCE, 0))
        unread = elsewhere.getsockname()[1]
        # One session for all rounds: it is the only one that its address may have, where a rate denies.
        client = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.settimeout(0.1)
        client.bind((ALLOWED_SOURCE, 0))
        client.connect(("127.0.0.1", weir.ports.dns))
        numbers = itertools.count(1)
        for round_number in range(rounds):
            if is_over():
                report.fail(FLOOD_TITLE, "weir", f"no time left for round {round_number + 1}")
                return
            first = _flow_beside(client, numbers, unread, seconds)
            second = _flow_beside(client, numbers, weir.ports.dns, seconds)
            beside.add("weir", len(first) / seconds)
            under.add("weir", len(second) / seconds)
            ratio.add("weir", len(second) / len(first))
            longest.add("weir", sorted(second)[len(second) * 99 // 100])


def _flow_beside(client, numbers, flooded, seconds):
    """The times of all answers of a flow while a flood runs."""
    ready = _fork.Event()
    attacker = _fork.Process(target=_attack, args=(flooded, ready), daemon=True)
    attacker.start()
    try:
        if not ready.wait(10):
            raise Failure("the flood did not begin")
        times = _flow(client, numbers, seconds)
    finally:
        attacker.kill()
        attacker.join()
    if len(times) < 100:
        raise Failure(f"only {len(times)} answers in {seconds} s")
    return times


def _flow(client, numbers, seconds):
    """Keeps a few questions under way. A lost one is asked again after a while."""
    times = []
    asked = {}
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        while len(asked) < WINDOW:
            number = next(numbers)
            asked[number] = now
            client.send(number.to_bytes(8, "big").ljust(64))
        try:
            answer = int.from_bytes(client.recv(2048)[:8], "big")
        except TimeoutError:
            asked.clear()
            continue
        began = asked.pop(answer, None)
        if began is not None:
            times.append(time.monotonic() - began)
    return times


def _attack(port, ready):
    """Sends datagrams of sources that are denied, evenly, until it is killed."""
    sockets = []
    for number in range(FLOOD_SOCKETS):
        source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        source.bind((DENIED_SOURCES[number % len(DENIED_SOURCES)], 0))
        source.connect(("127.0.0.1", port))
        sockets.append(source)
    # The first of each address may pass, where a rate denies: it is not part of the flood.
    passing, rest = sockets[: len(DENIED_SOURCES)], sockets[len(DENIED_SOURCES) :]
    for source in passing:
        source.send(DATAGRAM)
    time.sleep(0.2)
    ready.set()
    began = time.monotonic()
    sent = 0
    while True:
        due = int((time.monotonic() - began) * FLOOD_PER_SECOND)
        while sent < due:
            with contextlib.suppress(OSError):
                rest[sent % len(rest)].send(DATAGRAM)
            sent += 1
        time.sleep(0.001)


def _echo(server):
    while True:
        datagram, peer = server.recvfrom(2048)
        server.sendto(datagram, peer)


def _ratio(value):
    return f"{value:.2f}"
