"""What many pages, pages that stay open, and commands at a bad moment do to the rest: nothing."""

import json
import re
import selectors
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from browser import Browser
from support import Process, free_port, free_ports, http as get, run, wait_until, weir
from world import EchoServer


class Subject:
    """A Weir with an admin socket and a few routes."""

    def __init__(self, folder, routes: int = 3, more: str = ""):
        self.folder, self.upstream, self.exporter, self.first = folder, EchoServer(), free_port(), free_ports(routes)
        self.configuration, self.socket = folder / "weir.yml", folder / "admin.sock"
        self.text = (f"exporter: {{ listen: 127.0.0.1:{self.exporter} }}\nadmin: {{ listen: 'unix:{self.socket}' }}\n"
                     f"log: {{ level: error }}\n{more}routes:\n" + "".join(
                         f"  r{number}: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: '{self.first + number}:{self.upstream.port}' }}\n"
                         for number in range(routes)))
        self.configuration.write_text(self.text)
        self.process = Process(folder, weir(), "run", "--config", str(self.configuration))
        self.url = f"http://127.0.0.1:{self.exporter}/"
        wait_until("Weir is ready", lambda: self.process.check() or get(self.url + "readyz")[0] == 200, 60)

    def client(self, route: int = 0) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.first + route), timeout=30)
        made.sendall(b"x")
        assert made.recv(1) == b"x"
        return made

    def status(self) -> dict:
        code, text = get(self.url + "api/v1/status")
        assert code == 200, text
        return json.loads(text)

    def route(self, name: str = "r0") -> dict:
        return next(route for route in self.status()["routes"] if route["name"] == name)

    def asked(self, method: str, target: str) -> tuple[int, dict]:
        """Asks at the admin socket."""
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(60)
            made.connect(str(self.socket))
            made.sendall(f"{method} {target} HTTP/1.1\r\n\r\n".encode())
            data = b""
            while more := made.recv(65_536):
                data += more
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    def ended(self, method: str, target: str) -> int:
        code, answer = self.asked(method, target)
        assert code == 200, answer
        return answer["ended"]


@pytest.fixture
def make(tmp_path):
    with ExitStack() as stack:
        def made(**options) -> Subject:
            subject = Subject(tmp_path, **options)
            stack.callback(subject.process.stop)
            stack.callback(lambda: subject.process.check())
            return subject

        yield made


class Page:
    """An open page: its connection, and what came of its requests."""

    def __init__(self, source: str):
        self.source, self.connection, self.asked, self.is_new, self.buffer = source, None, None, False, b""
        self.due, self.moments, self.failures = time.monotonic(), [], []


class Pages(threading.Thread):
    """Open pages, all on one thread. Each asks as in a browser: once a second, over a connection that it keeps, and at once
    over a new one where that was ended meanwhile. Other than the page it does not wait longer after a failure.
    """

    REQUEST = b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    def __init__(self, subject: Subject, sources: list[str], seconds: float, pause: float = 1):
        super().__init__(daemon=True)
        self.address, self.pause, self.until = ("127.0.0.1", subject.exporter), pause, time.monotonic() + seconds
        self.pages, self.selector = [Page(source) for source in sources], selectors.DefaultSelector()
        # Pages were opened at different moments.
        for number, page in enumerate(self.pages):
            page.due += pause * number / len(self.pages)

    def run(self):
        while time.monotonic() < self.until or any(page.asked for page in self.pages):
            for page in self.pages:
                if page.asked is None and page.due <= time.monotonic() < self.until:
                    page.asked = time.monotonic()
                    self.ask(page)
            for key, _ in self.selector.select(0.01):
                self.read(key.data)
        for page in self.pages:
            self.drop(page)

    def ask(self, page: Page):
        page.is_new = page.connection is None
        try:
            if page.is_new:
                page.connection = socket.create_connection(self.address, 30, (page.source, 0))
                self.selector.register(page.connection, selectors.EVENT_READ, page)
            page.connection.sendall(self.REQUEST)
        except OSError as error:
            self.lost(page, error)

    def lost(self, page: Page, error: OSError | None):
        self.drop(page)
        if page.asked is not None and page.is_new:
            page.failures.append(repr(error))
            page.due, page.asked = page.asked + self.pause, None
        elif page.asked is not None:
            self.ask(page)

    def drop(self, page: Page):
        if page.connection:
            self.selector.unregister(page.connection)
            page.connection.close()
        page.connection, page.buffer = None, b""

    def read(self, page: Page):
        try:
            data = page.connection.recv(1 << 20)
        except OSError as error:
            return self.lost(page, error)
        if not data:
            return self.lost(page, None)
        page.buffer += data
        head, end, body = page.buffer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and length and len(body) >= int(length[1]):
            if head.split()[1] == b"200":
                page.moments.append(json.loads(body)["now"])
            else:
                page.failures.append(head.decode())
            page.due, page.asked, page.buffer = page.asked + self.pause, None, b""


def test_no_page_of_another_origin_reaches_a_command(make):
    subject = make()
    with subject.client() as client:
        for target in ("/v1/kill?route=r0", "/api/v1/status", "/v1/drain?route=r0"):
            for host, code in ((f"127.0.0.1:{subject.exporter}", (404, 405)), ("rebound.example", (421,))):
                with socket.create_connection(("127.0.0.1", subject.exporter), timeout=30) as made:
                    made.sendall(f"POST {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 2\r\nConnection: close\r\n\r\n{}".encode())
                    answer = b""
                    while more := made.recv(65_536):
                        answer += more
                assert int(answer.split()[1]) in code, answer
                assert b"access-control" not in answer.lower()
        client.sendall(b"y")
        assert client.recv(1) == b"y"
    assert "draining" not in subject.route()


def test_a_kill_beside_clients_that_end_by_themselves_counts_each_once(make):
    subject = make()
    clients = [subject.client() for _ in range(200)]
    leaving = threading.Thread(target=lambda: [client.close() for client in clients[:100]])
    leaving.start()
    ended = 0
    while leaving.is_alive():
        ended += subject.ended("POST", "/v1/kill?route=r0&client=127.0.0.1")
    leaving.join()
    wait_until("none is left", lambda: subject.ended("POST", "/v1/kill?route=r0") == 0 and subject.route()["active"] == 0)
    route = subject.route()
    assert route["accepted"] == sum(route["closed"].values()) == 200
    assert ended <= route["closed"]["admin"] <= 200 and route["closed"]["admin"] >= 100
    for client in clients[100:]:
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
        client.close()
    # What has ended is not found again, and it is no error.
    assert subject.ended("POST", "/v1/kill?route=r0") == 0 and subject.ended("POST", "/v1/kill?id=1") == 0


def test_commands_beside_reloads_are_all_answered_and_right(make):
    subject = make()
    stop, reloads = threading.Event(), []

    def reload():
        while not stop.is_set():
            # A route comes and goes.
            extra = f"  more: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: '{free_port()}:{subject.upstream.port}' }}\n"
            subject.configuration.write_text(subject.text + (extra if len(reloads) % 2 else ""))
            reloads.append(run(weir(), "reload", "--config", str(subject.configuration)).returncode)

    reloading = threading.Thread(target=reload)
    with subject.client(1) as kept:
        reloading.start()
        try:
            rounds = 0
            while rounds < 5 or len(reloads) < 4:
                assert subject.asked("POST", "/v1/drain?route=r0") == (200, {"route": "r0", "draining": True})
                code, document = subject.asked("GET", "/v1/status")
                route = next(route for route in document["routes"] if route["name"] == "r0")
                assert code == 200 and route["draining"] is True, "a drain lasts over reloads"
                assert subject.asked("POST", "/v1/undrain?route=r0") == (200, {"route": "r0", "draining": False})
                with subject.client() as client:
                    code, listed = subject.asked("GET", "/v1/connections?route=r0")
                    assert code == 200 and f"127.0.0.1:{client.getsockname()[1]}" in [one["client"] for one in listed["connections"]]
                    code, top = subject.asked("GET", "/v1/top")
                    assert code == 200 and top["clients"][0]["client"] == "127.0.0.1" and top["clients"][0]["open"] >= 2
                    assert subject.ended("POST", "/v1/kill?client=127.0.0.1&route=r0") >= 1
                rounds += 1
        finally:
            stop.set()
            reloading.join()
        assert set(reloads) == {0}
        kept.sendall(b"y")
        assert kept.recv(1) == b"y", "another route's connection lives on"


def test_commands_during_a_drain_see_and_end_what_is_left(make):
    subject = make(more="shutdown: { drain_timeout: 60s }\n")
    with subject.client() as first, subject.client(1) as second:
        subject.process.signal(15)
        wait_until("it drains", lambda: subject.asked("GET", "/v1/status"), accept=lambda found: found[1]["health"]["phase"] == "draining")
        code, listed = subject.asked("GET", "/v1/connections")
        assert code == 200 and listed["total"] == 2 and {one["route"] for one in listed["connections"]} == {"r0", "r1"}
        assert subject.asked("GET", "/v1/top")[1]["clients"][0]["open"] == 2
        for command in ("drain", "undrain"):
            code, answer = subject.asked("POST", f"/v1/{command}?route=r0")
            assert code == 409 and answer == {"error": "the process is ending"}
        assert run(weir(), "status", "--config", str(subject.configuration)).returncode == 0
        second.sendall(b"y")
        assert second.recv(1) == b"y"
        assert subject.ended("POST", "/v1/kill?route=r0") == 1
        with pytest.raises(ConnectionResetError):
            first.recv(1)
        assert subject.ended("POST", "/v1/kill?route=r1") == 1
        # With the last connection the drain is over.
        assert subject.process.process.wait(30) == 0
    assert not subject.socket.exists()
    # The fixture looks whether it still runs.
    subject.process.check = lambda: None


def test_clients_are_summed_up_by_their_address(make):
    subject = make()
    with ExitStack() as stack:
        for number, size in ((2, 3000), (2, 1000), (3, 500), (4, 9000)):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", subject.first), 30, (f"127.0.0.{number}", 0)))
            client.sendall(bytes(size))
            received = 0
            while received < size:
                received += len(client.recv(65_536))
        expected = [{"client": "127.0.0.4", "open": 1, "bytes": [9000, 9000]}, {"client": "127.0.0.2", "open": 2, "bytes": [4000, 4000]},
                    {"client": "127.0.0.3", "open": 1, "bytes": [500, 500]}]
        wait_until("all is counted", lambda: subject.asked("GET", "/v1/top"), accept=lambda found: found == (
            200, {"total": 4, "bound": 0, "clients": expected}))
        assert subject.asked("GET", "/v1/top?limit=1")[1]["clients"] == expected[:1]
        assert subject.asked("GET", "/v1/top?client=127.0.0.2/31")[1]["total"] == 3
        assert subject.asked("GET", "/v1/top?route=r1")[1] == {"total": 0, "bound": 0, "clients": []}
        made = run(weir(), "top", "--once", "--interval", "1", "--config", str(subject.configuration))
        lines = [line.split() for line in made.stdout.splitlines()]
        table = lines[lines.index(["CLIENT", "OPEN", "IN", "OUT"]) + 1:]
        assert [row[:2] for row in table] == [["127.0.0.4", "1"], ["127.0.0.2", "2"], ["127.0.0.3", "1"]]
        assert all(len(line) <= 80 for line in made.stdout.splitlines())
    for target, code in (("/v1/top?sort=age", 400), ("/v1/top?limit=0", 400), ("/v1/top?rout=a", 400)):
        assert subject.asked("GET", target)[0] == code
    assert subject.asked("POST", "/v1/top")[0] == 405


@pytest.mark.long
@pytest.mark.parametrize("sources", (1, 20))
def test_two_hundred_open_pages_are_all_answered(make, sources):
    """From one address, as behind a reverse proxy or a container's bridge, and from many."""
    subject = make()
    asking = Pages(subject, [f"127.0.0.{2 + number % sources}" for number in range(200)], 20)
    asking.start()
    scrapes = 0
    while asking.is_alive():
        assert get(subject.url + "metrics")[0] == 200 and get(subject.url + "healthz")[0] == 200
        scrapes += 1
        time.sleep(0.25)
    assert scrapes > 5
    assert [failure for page in asking.pages for failure in page.failures] == []
    # On a busy machine a page may ask less often.
    assert min(len(page.moments) for page in asking.pages) >= 5
    documents = {moment for page in asking.pages for moment in page.moments}
    assert 20 < len(documents) <= 5 * 25


@pytest.mark.long
def test_pages_that_stay_open_and_lists_leave_the_memory_as_it_is(make):
    """A minute of pages that ask without a pause: as many documents as an open page has made in five minutes."""
    subject = make(routes=100)
    clients = [subject.client(number) for number in range(100)]
    begun = time.monotonic()
    asking = Pages(subject, [f"127.0.0.{2 + number}" for number in range(5)], 60, pause=0)
    asking.start()
    samples = []
    while asking.is_alive():
        assert subject.asked("GET", "/v1/top")[0] == 200 and subject.asked("GET", "/v1/connections")[0] == 200
        samples.append((time.monotonic() - begun, subject.status()["process"]["resident_bytes"]))
        time.sleep(0.25)
    assert [failure for page in asking.pages for failure in page.failures] == []
    assert len({moment for page in asking.pages for moment in page.moments}) > 100
    early = max(size for moment, size in samples if 10 < moment < 30)
    late = max(size for moment, size in samples if moment > 45)
    assert late - early < 1_000_000, f"{early} bytes have become {late}"
    for client in clients:
        client.close()


@pytest.mark.long
def test_a_page_that_is_open_for_a_day_keeps_its_size(make):
    """The page takes the 86,400 answers of a day, in which routes, upstreams, agents and events come and go."""
    subject = make()
    hours = """(() => {
        const answer = structuredClone(model.document);
        for (let second = 0; second < %d; second++) {
            const next = structuredClone(answer);
            next.now = answer.now += 1000;
            const minute = Math.floor(next.now / 60000);
            for (const [place, route] of next.routes.entries()) {
                route.accepted += second; route.bytes = [next.now, next.now]; route.closed = { client_eof: second };
                route.upstreams[0].failures = { refused: second };
                if (place > 0) { route.name += minute %% 50; route.upstreams[0].name += minute %% 70; }
            }
            next.events = [{ level: "error", route: next.routes[0].name, text: "Dial failed: " + second, reason: "refused", first: 1, last: next.now, count: second }];
            next.agents = [{ name: "edge" + minute %% 30, address: "10.0.0.5:8890", up: second %% 2 === 0, since: next.now - second, probed: next.now, tunnels: second }];
            model.take(next);
            if (second %% 20 === 0) { drawSummary(); drawRoutes(); drawRest(); }
        }
    })()"""
    with Browser() as browser:
        browser.open(subject.url)
        wait_until("the page has its rows", lambda: browser.value("document.querySelectorAll('tr.route').length") == 3, 60)
        browser.value("Object.defineProperty(document, 'hidden', { value: true, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))")

        def size() -> tuple[int, int]:
            browser.call("HeapProfiler.collectGarbage")
            return browser.call("Runtime.getHeapUsage")["usedSize"], browser.call("Memory.getDOMCounters")["nodes"]

        browser.value(hours % 7200)
        bytes_before, nodes_before = size()
        for _ in range(11):
            browser.value(hours % 7200)
        bytes_after, nodes_after = size()
        assert bytes_after - bytes_before < 500_000 and nodes_after <= nodes_before + 50
        assert browser.value("[model.routes.size, model.rings.rows.size, rows.size]") == [3, 3, 3]
