"""Small echoes through a proxy, one after the other over a few connections: how long each takes."""

import contextlib
import selectors
import socket
import time

from tools import Failure

# Enough that both workers carry some, whichever of them has another load.
CONNECTIONS = 16
MESSAGE = b"a small question".ljust(64)
PAUSE_SECONDS = 0.001
# Another load is at its rate by then.
RAMP_SECONDS = 0.5
# Fewer have no p99.
FEWEST = 100


@contextlib.contextmanager
def clients(port):
    """Connections through a proxy, each of which has had an echo."""
    with contextlib.ExitStack() as opened:
        connections = []
        for _ in range(CONNECTIONS):
            client = opened.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask(client)
            connections.append(client)
        yield connections


def measure(connections, seconds):
    """The times of the echoes of some seconds, in seconds."""
    times = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for client in connections:
            times.append(ask(client))
            time.sleep(PAUSE_SECONDS)
    if len(times) < FEWEST:
        raise Failure(f"only {len(times)} echoes: too few for a p99, or too short a run")
    return times


def ask(client):
    """One question and its answer, in seconds."""
    start = time.perf_counter()
    client.sendall(MESSAGE)
    left = len(MESSAGE)
    while left > 0:
        received = client.recv(left)
        if not received:
            raise Failure("an echo connection ended early")
        left -= len(received)
    return time.perf_counter() - start


def serve(listener):
    """A server that sends back what it gets, until its process ends."""
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    with contextlib.suppress(OSError):
                        connection, _address = listener.accept()
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        selector.register(connection, selectors.EVENT_READ)
                    continue
                try:
                    received = key.fileobj.recv(4096)
                    key.fileobj.sendall(received)
                except OSError:
                    received = b""
                if not received:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
