"""Weir at both ends of tunnels, and the certificates of both."""

import os
import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from agents import Authority
from encryption import connect
from peers import Page
from support import Process, free_port, http, wait_until, weir


class End:
    """A Weir with an exporter, which can be killed and started again."""

    def __init__(self, stack: ExitStack, folder: Path, name: str, text: str, *command: str):
        self.folder, self.exporter, self.file = folder, free_port(), folder / f"{name}.yml"
        self.file.write_text(f"exporter: {{ listen: 127.0.0.1:{self.exporter} }}\nworkers: 2\n{text}")
        self.command = command
        self.start()
        stack.callback(lambda: self.process.stop())

    def start(self):
        self.process = Process(self.folder, *self.command, "--config", str(self.file))
        wait_until("it is ready", lambda: self.process.check() or self.get("/readyz")[0] == 200, 60)

    def get(self, path: str) -> tuple[int, str]:
        return http(f"http://127.0.0.1:{self.exporter}{path}")

    def total(self, name: str, **labels: str) -> float:
        return Page(self.get("/metrics")[1]).total(name, **labels)

    def await_counted(self, count: float, name: str, **labels: str):
        wait_until(f"{name} {labels} is counted", lambda: self.total(name, **labels), accept=lambda now: now == count)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.process.pid}/fd"))

    def settles(self, descriptors: int):
        wait_until("its connections have ended", lambda: self.total("weir_tcp_connections_active"),
                   accept=lambda active: active == 0)
        wait_until("their descriptors are closed", self.descriptors, accept=lambda now: now <= descriptors)

    def log(self) -> list[str]:
        return self.process.log.read_text().splitlines()


def make_agent(stack: ExitStack, folder: Path, port: int, authority: Authority, pair: tuple, allow: list[int],
               settings: str = "", name: str = "edge", host: str = "127.0.0.1") -> End:
    entries = ", ".join(f"'tcp:127.0.0.1:{number}'" for number in allow)
    return End(
        stack, folder, f"agent-{name}", f"agent: {{ name: {name}, listen: '{host}:{port}', "
        f"ca: {authority.certificate}, certificate: {pair[0]}, key: {pair[1]}, allow: [{entries}]{settings} }}\n",
        weir(), "agent")


class Proxy(End):
    """`agents` has the address and the credentials of each, `routes` the agent, the port behind it and further
    fields.
    """

    def __init__(
            self, stack: ExitStack, folder: Path, agents: dict[str, tuple], routes: dict[str, tuple], *launcher: str):
        self.ports = {name: free_port() for name in routes}
        known = "".join(
            f"  {name}: {{ address: '{address}', ca: {authority}, certificate: {pair[0]}, key: {pair[1]}, "
            "probe: { interval: 1h, timeout: 5s } }\n" for name, (address, authority, pair) in agents.items())
        text = "".join(
            f"  {name}: {{ scheme: tcp4, bind: 127.0.0.1, {f'agent: {agent}, ' if agent else ''}host: 127.0.0.1, "
            f"dial_timeout: 2s, port: '{self.ports[name]}:{port}'{fields} }}\n"
            for name, (agent, port, fields) in routes.items())
        super().__init__(stack, folder, "proxy", f"agents:\n{known}routes:\n{text}", *launcher, weir(), "run")
        # Each agent is asked once, and counts that as its tunnels.
        wait_until("the probes are over", lambda: self.total("weir_agent_probes_total"),
                   accept=lambda count: count == len(agents))

    def connect(self, route: str) -> socket.socket:
        return connect(self.ports[route])

    def fails(self, route: str):
        with pytest.raises(ConnectionResetError), closing(self.connect(route)) as client:
            client.recv(1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "edge")


@pytest.fixture(scope="module")
def server(authority):
    return authority.sign("server", "serverAuth")


@pytest.fixture(scope="module")
def client(authority):
    return authority.sign("client", "clientAuth")


@pytest.fixture
def stack():
    with ExitStack() as made:
        yield made
