"""Memory per idle connection: many connections through a fresh proxy, each used once, then left alone."""

import contextlib
import socket
import time

from accounting import resident_bytes
from proxies import connection_limit
from report import size
from tools import Failure

TITLE = "idle connections"
CONNECTIONS = 4000
WARM_UP = 64
BATCH = 50
SETTLE_SECONDS = 1.5
MESSAGE = b"an idle connection has spoken before, as real ones have".ljust(256)


def measure(kinds, directory, backends, report):
    wanted = min(CONNECTIONS, connection_limit() - WARM_UP)
    title = f"{wanted:,} {TITLE}"
    before = report.line(title, "memory before", size, better=None)
    each = report.line(title, "memory per connection", size)
    for kind in kinds:
        try:
            baseline, grown = _one(kind, directory, backends, wanted)
        except (Failure, OSError) as failure:
            report.fail(title, kind.key, failure)
            continue
        before.add(kind.key, baseline)
        each.add(kind.key, (grown - baseline) / wanted)


def _one(kind, directory, backends, wanted):
    with contextlib.ExitStack() as cleanup:
        listener = cleanup.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", backends.ports.idle))
        listener.listen(1024)
        listener.settimeout(10)
        # Fresh, because a proxy that has carried traffic has free memory to hand out.
        proxy = kind(directory, backends.ports, "-idle")
        cleanup.callback(proxy.stop)
        proxy.start()
        with contextlib.ExitStack() as warm_up:
            open_connections(warm_up, proxy.ports.idle, listener, WARM_UP)
        time.sleep(SETTLE_SECONDS)
        pids = proxy.processes()
        baseline = resident_bytes(pids)
        open_connections(cleanup, proxy.ports.idle, listener, wanted)
        time.sleep(SETTLE_SECONDS)
        return baseline, resident_bytes(pids)


def open_connections(owner, port, listener, wanted):
    """Opens connections in small batches, sends a message each way on every one, and returns both ends of all."""
    pairs = []
    while len(pairs) < wanted:
        clients = []
        for _ in range(min(BATCH, wanted - len(pairs))):
            client = owner.enter_context(socket.socket())
            client.settimeout(10)
            client.connect(("127.0.0.1", port))
            client.sendall(str(len(pairs) + len(clients)).encode().ljust(len(MESSAGE)))
            clients.append(client)
        first = len(pairs)
        pairs += [(client, None) for client in clients]
        for _ in clients:
            upstream, _address = listener.accept()
            owner.enter_context(upstream)
            upstream.settimeout(10)
            # The proxy may dial in another order: the message tells whose connection it is.
            number = int(_receive(upstream))
            upstream.sendall(MESSAGE)
            pairs[number] = (pairs[number][0], upstream)
        for client, _upstream in pairs[first:]:
            _receive(client)
    return pairs


def exchange(client, upstream):
    """A message each way."""
    client.sendall(MESSAGE)
    _receive(upstream)
    upstream.sendall(MESSAGE)
    _receive(client)


def _receive(connection):
    message = b""
    while len(message) < len(MESSAGE):
        received = connection.recv(len(MESSAGE) - len(message))
        if not received:
            raise Failure("a connection ended that should have stayed open")
        message += received
    return message
