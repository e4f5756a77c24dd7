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
            _open(warm_up, proxy, listener, WARM_UP)
        time.sleep(SETTLE_SECONDS)
        pids = proxy.processes()
        baseline = resident_bytes(pids)
        _open(cleanup, proxy, listener, wanted)
        time.sleep(SETTLE_SECONDS)
        return baseline, resident_bytes(pids)


def _open(owner, proxy, listener, wanted):
    """Opens connections in small batches and sends a message each way on every one."""
    opened = 0
    while opened < wanted:
        count = min(BATCH, wanted - opened)
        clients = []
        for _ in range(count):
            client = owner.enter_context(socket.socket())
            client.settimeout(10)
            client.connect(("127.0.0.1", proxy.ports.idle))
            client.sendall(MESSAGE)
            clients.append(client)
        for _ in range(count):
            upstream, _address = listener.accept()
            owner.enter_context(upstream)
            upstream.settimeout(10)
            _receive(upstream)
            upstream.sendall(MESSAGE)
        for client in clients:
            _receive(client)
        opened += count


def _receive(connection):
    left = len(MESSAGE)
    while left > 0:
        received = connection.recv(left)
        if not received:
            raise Failure("a connection ended that should have stayed open")
        left -= len(received)
