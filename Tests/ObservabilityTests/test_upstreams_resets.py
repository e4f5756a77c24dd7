"""An upstream that accepts and resets at once, under every policy."""

import socket
import struct
import threading

import pytest

from peers import Weir
from support import free_port

pytestmark = pytest.mark.long

CLIENTS = 1000


class Listener:
    """A server that answers with one byte, or resets, as soon as it has accepted."""

    def __init__(self, resets: bool):
        self.resets, self.accepted = resets, 0
        self.listener = socket.create_server(("127.0.0.1", free_port()), backlog=512)
        self.name = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            else:
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    @staticmethod
    def _answer(client: socket.socket):
        with client:
            try:
                client.sendall(b"!")
                client.recv(1)
            except OSError:
                return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def _ask(port: int, number: int, speaks_first: bool) -> bool:
    """Whether the client was served. Clients come from many addresses, as `maglev` chooses by them."""
    source = f"127.{1 + number % 100}.{number // 100}.1"
    try:
        with socket.create_connection(("127.0.0.1", port), 30, (source, 0)) as client:
            if speaks_first:
                client.sendall(b"?")
            return client.recv(1) == b"!"
    except ConnectionError:
        return False


@pytest.mark.parametrize("speaks_first", [False, True], ids=["the server speaks first", "the client speaks first"])
@pytest.mark.parametrize("policy", ["round_robin", "least_connections", "maglev", "first"])
def test_one_that_resets_gets_less_than_one_percent_after_five_failures(policy, speaks_first, tmp_path):
    servers = [Listener(resets=True), Listener(resets=False), Listener(resets=False)]
    resetting = servers[0]
    try:
        with Weir(tmp_path, [f'"{server.name}"' for server in servers], route=f"balance: {policy}\n") as weir:
            ejected, served, number = False, 0, 0
            while not ejected:
                assert number < CLIENTS, f"{resetting.accepted} connections, and it is not ejected"
                number += 1
                _ask(weir.port, number, speaks_first)
                ejected = weir.page().total("weir_upstream_up", upstream=resetting.name) == 0
            accepted = resetting.accepted
            for number in range(CLIENTS):
                served += _ask(weir.port, number, speaks_first)
            assert resetting.accepted - accepted < CLIENTS / 100
            assert served > CLIENTS * 99 / 100
            reasons = {
                sample.labels["reason"]: sample.value for sample in weir.page().samples
                if sample.name == "weir_upstream_ejections_total" and sample.labels["upstream"] == resetting.name}
            assert sum(reasons.values()) >= 1, reasons
    finally:
        for server in servers:
            server.stop()
