"""Weir beside a container engine of the tests, whose containers hold one small static program: it says its name to each
client, and echoes. What the tests of routes from containers share.
"""

import contextlib
import re
import shutil
import socket
import threading
from pathlib import Path

from support import Process, free_port, http, run, tool, wait_until, weir

IMAGE = "echo:local"
SERVER = Path(__file__).parent / "echo_server.c"


def import_echo(engine, folder: Path):
    """Makes the image. The program listens at port 7 of TCP and UDP, or at the one that its second argument says."""
    compiler = shutil.which("clang") or tool("cc")
    built = run(compiler, "-O1", "-static", "-o", str(folder / "server"), str(SERVER))
    assert built.returncode == 0, built.stderr
    packed = run("tar", "-C", str(folder), "-cf", str(folder / "image.tar"), "server")
    assert packed.returncode == 0, packed.stderr
    engine.docker("import", "--change", 'ENTRYPOINT ["/server"]', "--change", "EXPOSE 7/tcp", "--change",
                  "EXPOSE 7/udp", str(folder / "image.tar"), IMAGE)


class Weir:
    """Weir on the host, which follows the engine."""

    def __init__(self, engine, folder: Path, settings: str = "label_prefix: weir, bind: 127.0.0.1",
                 address: str | None = None):
        """`address` is that of the engine, or a mapping of several."""
        endpoint = address or engine.address
        endpoint = endpoint if endpoint.startswith("{") else repr(endpoint)
        self.exporter = free_port()
        self.file = folder / "weir.yml"
        self.file.write_text(
            f"exporter: {{ listen: '127.0.0.1:{self.exporter}' }}\n"
            f"docker: {{ endpoint: {endpoint}, {settings} }}\n")
        self.process = Process(folder, weir(), "run", "--config", str(self.file))
        # With the routes of all containers that run already.
        url = f"http://127.0.0.1:{self.exporter}/readyz"
        wait_until("Weir is ready", lambda: self.process.check() or http(url)[0] == 200, 60)

    def value(self, name: str, **labels) -> float:
        """The sum of a family's series with these labels."""
        status, page = http(f"http://127.0.0.1:{self.exporter}/metrics")
        if status != 200:
            return 0
        total = 0
        for pairs, value in re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", page, re.MULTILINE):
            if all(f'{key}="{wanted}"' in pairs for key, wanted in labels.items()):
                total += float(value)
        return total

    def log(self) -> str:
        return self.process.log.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()
        assert self.process.process.returncode == 0, self.log()[-3000:]


def start(
    engine, name: str, *options: str, labels: dict | None = None, publish: str | None = None, network: str = "edge",
    port: int = 7,
) -> str:
    """A container that says its name."""
    options += ("--publish", publish) if publish else ()
    given = [part for key, value in (labels or {}).items() for part in ("--label", f"{key}={value}")]
    return engine.docker(
        "run", "--detach", "--network", network, "--name", name, *given, *options, IMAGE, name, str(port))


def ask(port: int, data: bytes = b"x" * 1000, timeout: float = 10) -> str | None:
    """The name that answers at a port of this machine, and echoes; nil where none does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
            stream = client.makefile("rb")
            name = stream.readline().decode().strip()
            if not name:
                return None
            client.sendall(data)
            return name if stream.read(len(data)) == data else None
    except OSError:
        return None


def ask_udp(port: int) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect(("127.0.0.1", port))
        try:
            client.send(b"data")
            return client.recv(100).decode().removesuffix(":data")
        except OSError:
            return None


def becomes(port: int, name: str | None, what: str, deadline: float = 2.5):
    """Within two seconds, and a half for the machine."""
    wait_until(what, lambda: ask(port, timeout=2), deadline, lambda found: found == name)


class Load:
    """Clients of a port, one after the other in each of a few threads."""

    def __init__(self, port: int, threads: int = 4):
        self.port = port
        self.answers: dict[str | None, int] = {}
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.is_over.is_set():
            name = ask(self.port)
            with self.lock:
                self.answers[name] = self.answers.get(name, 0) + 1
            self.is_over.wait(0.01)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


class Datagrams(Load):
    """Clients that ask with datagrams, from the same port for a while."""

    def __init__(self, port: int):
        super().__init__(port, threads=2)

    def run(self):
        while not self.is_over.is_set():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(0.2)
                client.connect(("127.0.0.1", self.port))
                for _ in range(20):
                    name = None
                    with contextlib.suppress(OSError):
                        client.send(b"data")
                        name = client.recv(100).decode().removesuffix(":data")
                    with self.lock:
                        self.answers[name] = self.answers.get(name, 0) + 1
                    self.is_over.wait(0.02)
