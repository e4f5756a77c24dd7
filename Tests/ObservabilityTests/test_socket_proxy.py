"""The proxy of an engine's socket in docker-compose.yml, by its own configuration in a real HAProxy: what Weir asks passes,
and nothing else reaches the engine.
"""

import http.client
import json
import socket
import socketserver
import threading

import pytest

from support import REPOSITORY, Process, free_port, run, tool, wait_until, weir

CONFIGURATION = REPOSITORY / "Examples" / "compose" / "socket-proxy.cfg"
ID = "0123456789abcdef" * 4


class Engine:
    """Answers every request with an empty list, but for its version, and keeps the request lines."""

    def __init__(self, path: str):
        asked = self.asked = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while line := self.rfile.readline():
                    asked.append(line.decode("latin-1").strip())
                    while self.rfile.readline() not in (b"\r\n", b""):
                        pass
                    body = json.dumps({"ApiVersion": "1.43", "MinAPIVersion": "1.24"} if b"/version" in line else [])
                    self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

        self.server = socketserver.ThreadingUnixStreamServer(path, Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """The port of HAProxy, and the engine behind it."""
    folder = tmp_path_factory.mktemp("proxy")
    engine, port = Engine(str(folder / "docker.sock")), free_port()
    text = CONFIGURATION.read_text()
    assert text.count("unix@/var/run/docker.sock") == 2 and text.count("bind :2375") == 1
    (folder / "haproxy.cfg").write_text(
        text.replace("unix@/var/run/docker.sock", f"unix@{folder}/docker.sock").replace("bind :", f"bind 127.0.0.1:{port} #"))
    with Process(folder, tool("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")) as process:
        def answers() -> bool:
            process.check()
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        wait_until("HAProxy listens", answers)
        yield port, engine
    engine.stop()


def status(port: int, method: str, target: str, body: bytes | None = None, **headers: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            client.putheader(name.replace("_", "-"), value)
        client.endheaders(body)
        return client.getresponse().status
    finally:
        client.close()


@pytest.mark.parametrize("target", [
    "/version", "/v1.43/containers/json?all=1", f"/v1.24/containers/{ID}/json",
    "/v1.43/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D",
])
def test_what_weir_asks_passes(proxy, target):
    port, engine = proxy
    assert status(port, "GET", target) == 200
    assert engine.asked[-1] == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize("method, target, more", [
    ("POST", "/v1.43/containers/create", {"Content_Length": "0"}), ("POST", "/version", {"Content_Length": "0"}),
    ("DELETE", f"/v1.43/containers/{ID}", {}), ("PUT", f"/v1.43/containers/{ID}/archive?path=/", {"Content_Length": "0"}),
    ("HEAD", f"/v1.43/containers/{ID}/archive?path=/", {}), ("GET", f"/v1.43/containers/{ID}/archive?path=/etc/shadow", {}),
    ("GET", f"/v1.43/containers/{ID}/logs?stdout=1", {}), ("GET", f"/v1.43/containers/{ID}/export", {}),
    ("GET", f"/v1.43/containers/{ID}/attach/ws", {"Upgrade": "websocket", "Connection": "Upgrade"}),
    ("GET", "/v1.43/images/json", {}), ("GET", "/v1.43/secrets", {}), ("GET", "/v1.43/info", {}), ("GET", "/", {}),
    # Paths that a reader might take for another one.
    ("GET", "/v1.43/containers/json/../../images/json", {}), ("GET", "/v1.43/containers/%2e%2e/images/json", {}),
    ("GET", "/v1.43//containers/json", {}), ("GET", "/v1.43/containers/../json", {}), ("GET", "/v1.43/containers/json/", {}),
    ("GET", "http://docker/v1.43/images/json", {}), ("GET", "/v1.43/containers/json%0d%0aX:y", {}),
    ("GET", "/v1.43/containers/web/json", {}), ("GET", "/containers/json", {}), ("GET", "/V1.43/events", {}),
    # A connection that becomes one of HTTP/2 carries any request.
    ("GET", "/v1.43/containers/json", {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2_Settings": "AAMAAABk"}),
    ("GET", "/v1.43/containers/json?size=1", {}), ("GET", f"/v1.43/containers/{ID}/json?size=true", {}),
    ("GET", "/version", {"Content_Length": "4"}), ("GET", "/version", {"Transfer_Encoding": "chunked"}),
])
def test_nothing_else_reaches_the_engine(proxy, method, target, more):
    port, engine = proxy
    before = len(engine.asked)
    body = {"4": b"GET ", "chunked": b"0\r\n\r\n"}.get(next(iter(more.values()), ""))
    assert status(port, method, target, body, **more) in (400, 403)
    assert len(engine.asked) == before, engine.asked[-1]


def test_weir_follows_an_engine_through_it(proxy, tmp_path):
    port, engine = proxy
    (tmp_path / "weir.yml").write_text(f"docker: {{ endpoint: 'tcp://127.0.0.1:{port}', label_prefix: weir }}\n")
    checked = run(weir(), "check", "--docker", str(tmp_path / "weir.yml"))
    assert checked.returncode == 0 and engine.asked[-2:] == ["GET /version HTTP/1.1", "GET /v1.43/containers/json?all=1 HTTP/1.1"]
