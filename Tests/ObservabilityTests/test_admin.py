"""The admin socket of a running Weir, and the commands over it."""

import json
import os
import socket
import subprocess

import pytest

from support import Process, free_port, free_ports, http, run, wait_until, weir
from world import EchoServer


class Subject:
    """A Weir with an admin socket, a route to one upstream and one to two."""

    def __init__(self, folder):
        self.folder, self.exporter, first = folder, free_port(), free_ports(2)
        self.one, self.two = EchoServer(), EchoServer()
        self.ports = {"single": first, "pair": first + 1}
        self.socket = folder / "admin.sock"
        self.configuration = folder / "weir.yml"
        self.configuration.write_text(
            f"exporter: {{ listen: 127.0.0.1:{self.exporter} }}\nadmin: {{ listen: 'unix:{self.socket}' }}\nroutes:\n"
            f"  single: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: '{first}:{self.one.port}' }}\n"
            f"  pair: {{ scheme: tcp4, bind: 127.0.0.1, port: {first + 1}, upstreams: [{{ host: 127.0.0.1, port: {self.one.port} }}, "
            f"{{ host: 127.0.0.1, port: {self.two.port} }}] }}\n")
        self.process = Process(folder, weir(), "run", "--config", str(self.configuration))
        wait_until("Weir is ready", lambda: self.process.check() or http(f"http://127.0.0.1:{self.exporter}/readyz")[0] == 200, 60)

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        return run(weir(), *arguments, "--config", str(self.configuration))

    def asked(self, *arguments: str):
        made = self.command(*arguments, "--json")
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)

    def client(self, route: str) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.ports[route]), timeout=30)
        made.sendall(b"x")
        assert made.recv(1) == b"x"
        return made

    def raw(self, text: str) -> str:
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(30)
            made.connect(str(self.socket))
            made.sendall(text.encode())
            data = b""
            while more := made.recv(65_536):
                data += more
            return data.decode()


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    made = Subject(tmp_path_factory.mktemp("admin"))
    yield made
    made.process.stop()


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def is_refused(port: int) -> bool:
    """Whether a new connection is ended at once. The reset can come before the client knows that it is connected."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as made:
            return ended(made)
    except ConnectionResetError:
        return True


def test_the_socket_is_for_its_owner_alone(subject):
    assert os.stat(subject.socket).st_mode & 0o777 == 0o600


def test_connections_are_listed_and_ended(subject):
    with subject.client("single") as first, subject.client("single") as second, subject.client("pair") as other:
        second.sendall(bytes(5000))
        received = 0
        while received < 5000:
            received += len(second.recv(65_536))
        found = wait_until("all are listed", lambda: subject.asked("connections"), accept=lambda found: found["total"] == 3)["connections"]
        assert [one["bytes"][0] for one in found][0] == 5001 and {one["route"] for one in found} == {"single", "pair"}
        assert subject.asked("connections", "--route", "pair")["total"] == 1
        assert subject.asked("connections", "--client", "127.0.0.0/8", "--older", "3600")["total"] == 0
        port = first.getsockname()[1]
        identifier = next(one["id"] for one in found if one["client"] == f"127.0.0.1:{port}")
        table = subject.command("connections").stdout.splitlines()
        assert len(table) == 4 and all(len(line) <= 80 for line in table) and identifier in "\n".join(table)
        assert subject.command("kill").returncode == 1
        assert subject.asked("kill", identifier) == {"ended": 1} and ended(first)
        assert subject.asked("kill", identifier) == {"ended": 0}
        assert subject.asked("kill", "--route", "single") == {"ended": 1} and ended(second)
        other.sendall(b"y")
        assert other.recv(1) == b"y"
        page = http(f"http://127.0.0.1:{subject.exporter}/metrics")[1]
        assert 'weir_tcp_connections_closed_total{route="single",reason="admin"} 2' in page
        assert 'weir_admin_requests_total{code="400"} 1' in page
    assert f"uid={os.getuid()}" in subject.process.log.read_text()


@pytest.mark.parametrize("query", ["limit=1", "sort=age", "format=lines"])
def test_kill_has_no_query_of_a_list_and_then_ends_nothing(subject, query):
    with subject.client("single") as client:
        answer = subject.raw(f"POST /v1/kill?route=single&{query} HTTP/1.1\r\n\r\n")
        assert answer.startswith("HTTP/1.1 400 ") and f"`{query.partition('=')[0]}` is for lists" in answer
        client.sendall(b"y")
        assert client.recv(1) == b"y"


def test_an_upstream_drains_over_reloads_and_comes_back(subject):
    upstream = f"127.0.0.1:{subject.one.port}"
    assert subject.asked("drain", "pair", "--upstream", upstream)["draining"] is True
    assert subject.command("drain", "pair", "--upstream", "127.0.0.1:1").returncode == 1
    try:
        assert subject.command("reload").returncode == 0
        for _ in range(4):
            with subject.client("pair"):
                found = subject.asked("connections", "--route", "pair")["connections"]
                assert {one["upstream"] for one in found} == {f"127.0.0.1:{subject.two.port}"}
        member = next(one for route in subject.asked("status")["routes"] if route["name"] == "pair" for one in route["members"] if one["name"] == upstream)
        assert member["state"] == "draining" and member["cause"] == "admin"
        assert "draining for" in subject.command("status").stdout
    finally:
        assert subject.asked("undrain", "pair", "--upstream", upstream)["draining"] is False


def test_a_route_drains_as_a_whole(subject):
    port = subject.ports["single"]
    with subject.client("single") as old:
        assert subject.asked("drain", "single")["draining"] is True
        try:
            assert is_refused(port)
            old.sendall(b"z")
            assert old.recv(1) == b"z"
            assert next(route for route in subject.asked("status")["routes"] if route["name"] == "single")["draining"] is True
            assert subject.command("reload").returncode == 0
            assert is_refused(port)
        finally:
            assert subject.asked("undrain", "single")["draining"] is False
        subject.client("single").close()


def test_tables_fit_into_eighty_columns(subject):
    for command in (("status",), ("top", "--once", "--interval", "1")):
        made = subject.command(*command)
        assert made.returncode == 0, made.stderr
        assert "single" in made.stdout and all(len(line) <= 80 for line in made.stdout.splitlines())


def test_the_level_of_the_log_changes_at_once(subject):
    assert subject.asked("log-level")["level"] == "info"
    assert subject.asked("log-level", "debug")["level"] == "debug"
    assert subject.command("log-level", "loud").returncode == 1
    subject.client("single").close()
    wait_until("details are logged", lambda: "DEBUG dialed" in subject.process.log.read_text())
    subject.asked("log-level", "info")


def test_errors_say_what_to_do(subject, tmp_path):
    made = subject.command("status", "--socket", str(tmp_path / "none.sock"))
    assert made.returncode == 1 and "there is no socket at" in made.stderr
    plain = tmp_path / "weir.yml"
    plain.write_text("routes: { a: { scheme: tcp, host: 127.0.0.1, port: '5000:5001' } }\n")
    made = run(weir(), "status", "--config", str(plain))
    assert made.returncode == 1 and "has no admin socket: add `admin:" in made.stderr
    assert "there is no route `nowhere`" in subject.command("drain", "nowhere").stderr


@pytest.mark.parametrize("text, code", [
    ("GET /v1/kill?route=single HTTP/1.1\r\n\r\n", 405), ("POST /v1/status HTTP/1.1\r\n\r\n", 405), ("DELETE / HTTP/1.1\r\n\r\n", 405),
    ("GET /v1/nothing HTTP/1.1\r\n\r\n", 404), ("\x16\x03\x01\r\n\r\n", 400), ("GET /" + "a" * 9000, 431),
    ("GET /v1/connections?limit=0 HTTP/1.1\r\n\r\n", 400),
])
def test_wrong_requests_get_their_code(subject, text, code):
    assert subject.raw(text).startswith(f"HTTP/1.1 {code} ")


def test_a_silent_client_holds_up_others_for_five_seconds_at_most(subject):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(subject.socket))
        assert subject.asked("status")["api"] == 1
