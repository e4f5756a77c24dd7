"""Shared by the tests here: paths, tools, processes that end with the test, and the one way to wait."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
GRAFANA = REPOSITORY / "grafana"
PROMETHEUS = REPOSITORY / "prometheus"
TOOLS = REPOSITORY / ".test-servers" / "bin"

sys.path.insert(0, str(GRAFANA))


def tool(name: str) -> str:
    """The program that `scripts/setup-tools tests` unpacked, or the system's own."""
    own = TOOLS / name
    found = str(own) if own.exists() else shutil.which(name)
    assert found, f"{name} is missing: run scripts/setup-tools tests"
    return found


def weir() -> str:
    """The binary under test: WEIR_BINARY, or the one that `swift build` made."""
    path = os.environ.get("WEIR_BINARY") or str(REPOSITORY / ".build" / "debug" / "weir")
    assert os.access(path, os.X_OK), f"{path} is missing: run swift build, or set WEIR_BINARY"
    return path


def run(*command: str, **options) -> subprocess.CompletedProcess:
    """Runs a program to its end and takes what it prints."""
    options = {"timeout": 600, "text": True, "capture_output": True} | options
    return subprocess.run(command, check=False, **options)


def package(program, folder, version) -> subprocess.CompletedProcess:
    """Packages of a program, made by scripts/package."""
    script = str(REPOSITORY / "scripts" / "package")
    return run(script, "--binary", str(program), "--version", version, "--output", str(folder))


def wait_until(what: str, condition, deadline: float = 30, accept=bool):
    """Asks again and again until the answer is accepted (by default: is true), and returns it. Where that takes too
    long the failure tells the last answer. The one place here that lets time pass.
    """
    end = time.monotonic() + deadline
    while True:
        found = condition()
        if accept(found):
            return found
        assert time.monotonic() < end, f"not within {deadline} s: {what}; last seen: {found!r}"
        time.sleep(0.05)


def free_port() -> int:
    """A port of the loopback address that is free now, below the range of outgoing connections."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of several free ports in a row, none of those that the tests in Swift take one by one."""
    import random

    ports = range(20_240, 32_000)
    # From a random port on, so that tests beside each other seldom look at the same ones.
    start, found = random.randrange(len(ports)), 0
    for number in range(len(ports) + count):
        place = (start + number) % len(ports)
        # A row does not go round.
        found = found + 1 if place > 0 else 1
        if not _is_free(ports[place], may_reuse=count > 100):
            found = 0
        if found == count:
            return ports[place] - count + 1
    raise AssertionError(f"no {count} free ports")


def _is_free(port: int, may_reuse: bool = False) -> bool:
    """Of many ports some always have a connection that has ended a moment ago, which no listener of Weir minds."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as candidate:
            try:
                if may_reuse and kind == socket.SOCK_STREAM:
                    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                candidate.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


class Process:
    """A program that runs as long as the test wants it to; what it prints goes into a file. Where the tests themselves
    die the program gets the signal `at_our_death`.
    """

    def __init__(self, folder: Path, *command: str, environment: dict | None = None, at_our_death: str = "KILL"):
        self.name = Path(command[0]).name
        self.log = folder / f"{self.name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as output:
            # setpriv replaces itself with the program, which then dies with us even where we crash.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", at_our_death, "--", *command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env=environment)

    def check(self):
        assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()[-2000:]}"

    def signal(self, number: int):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def http(url: str, post=None) -> tuple[int, str]:
    """Status and body; status 0 if there is no answer. `post` is sent as JSON."""
    request = urllib.request.Request(url)
    if post is not None:
        request.data = json.dumps(post).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def query(prometheus: str, expression: str, at: float | None = None) -> list:
    """The result of an instant query; an error of Prometheus fails the test with its text."""
    parameters = {"query": expression} | ({"time": str(at)} if at else {})
    status, body = http(f"{prometheus}/api/v1/query?{urllib.parse.urlencode(parameters)}")
    assert status == 200, f"{status} for {expression}: {body}"
    return json.loads(body)["data"]["result"]
