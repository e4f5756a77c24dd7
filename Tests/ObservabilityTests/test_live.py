"""The page at / of the exporter, in a real browser, beside what a scrape says; and what can be said of it without one."""

import gzip
import json
import re
import socket
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from browser import Browser
from support import REPOSITORY, Process, free_port, free_ports, http, run, wait_until, weir
from world import EchoServer, echo_datagrams

PAGE = REPOSITORY / "live"
# No byte of it is forbidden in the name of a certificate.
HOSTILE = "<img/src=x/onerror=alert(1)>"


def exchange(port: int, size: int = 1000) -> bool:
    """Sends bytes through a route and takes their echo; false where the route gives none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(bytes(size))
            received = 0
            while received < size and (data := client.recv(65_536)):
                received += len(data)
            return received == size
    except OSError:
        return False


class Subject:
    """A Weir with routes of several kinds, upstreams that can be hurt, and a certificate with a hostile name."""

    def __init__(self, folder: Path):
        self.steady, self.hurt, self.other = EchoServer(), EchoServer(), EchoServer()
        self.datagrams, self.exporter, first = free_port(), free_port(), free_ports(5)
        echo_datagrams(self.datagrams)
        self.ports = dict(zip(("steady", "hurt", "pair", "game", "secure"), range(first, first + 5)))
        made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj",
                   "/CN=weir", "-addext", f"subjectAltName=DNS:{HOSTILE}", "-keyout", str(folder / "a.key"), "-out", str(folder / "a.pem"))
        assert made.returncode == 0, made.stderr
        common = "bind: 127.0.0.1, host: 127.0.0.1"
        routes = {
            "steady": f"scheme: tcp4, {common}, port: '{self.ports['steady']}:{self.steady.port}'",
            "hurt": f"scheme: tcp4, {common}, port: '{self.ports['hurt']}:{self.hurt.port}'",
            "pair": f"scheme: tcp4, bind: 127.0.0.1, port: {self.ports['pair']}, upstreams: [{{ host: 127.0.0.1, port: {self.other.port} }}, "
                    f"{{ host: 127.0.0.1, port: {free_port()} }}], balance: round_robin",
            "game": f"scheme: udp4, {common}, port: '{self.ports['game']}:{self.datagrams}'",
            "secure": f"scheme: tcp4, {common}, port: '{self.ports['secure']}:{self.steady.port}', tls: true",
        }
        self.configuration = folder / "weir.yml"
        self.text = (f"exporter: {{ listen: 127.0.0.1:{self.exporter} }}\nlog: {{ level: error }}\n"
                     "tls: { certificates: { certificate: a.pem, key: a.key } }\nroutes:\n"
                     + "".join(f"  {name}: {{ {fields} }}\n" for name, fields in routes.items()))
        self.configuration.write_text(self.text)
        self.folder = folder
        self.url = f"http://127.0.0.1:{self.exporter}/"
        self.start()

    def start(self):
        self.process = Process(self.folder, weir(), "run", "--config", str(self.configuration))
        wait_until("Weir is ready", lambda: self.process.check() or http(self.url + "readyz")[0] == 200, 60)

    def status(self) -> dict:
        code, text = http(self.url + "api/v1/status")
        assert code == 200, text
        return json.loads(text)

    def scraped(self, family: str, **labels) -> float:
        """The sum of the series with these labels, of a scrape of now."""
        total = 0
        for line in http(self.url + f"metrics?name[]={family}")[1].splitlines():
            if line.startswith(family + "{") and all(f'{name}="{value}"' in line for name, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    made = Subject(tmp_path_factory.mktemp("live"))
    yield made
    made.process.stop()


@pytest.fixture
def browser():
    with Browser() as made:
        yield made


def cell(browser: Browser, route: str, name: str) -> str:
    """What a row says in the column with this title."""
    return browser.value(f"""[...document.querySelectorAll('tr[data-key="{route}"] td')]
        .find((cell) => cell.dataset.label === {json.dumps(name)})?.innerText.split("\\n")[0]""")


def shown(browser: Browser, url: str, rows: int, **options):
    browser.open(url, **options)
    wait_until("the page has its rows", lambda: browser.value("document.querySelectorAll('tr.route').length"), 60, lambda found: found == rows)


# Without a browser.


def test_the_page_in_the_program_is_the_one_of_these_files():
    made = run(sys.executable, "-B", str(PAGE / "generate.py"), "--check")
    assert made.returncode == 0, made.stderr
    files = sorted((REPOSITORY / "Sources/WeirProxy/Live/Page").glob("LivePage+Part*.swift"))
    assert len(gzip.compress("".join(path.read_text() for path in files).encode(), 9)) < 20_000


def luminance(color: str) -> float:
    """The relative luminance (WCAG 2.2)."""
    if len(color) == 4:
        color = "#" + "".join(digit * 2 for digit in color[1:])
    parts = [int(color[place:place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_color_of_text_stands_out(scheme):
    text = (PAGE / "page.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", text, re.S)
    colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", blocks[scheme == "dark"]))
    grounds = {name: ["face", "back", "hover"] for name in ("text", "soft", "link", "bad", "warn", "in", "out")}
    grounds |= {"idle": ["hover"], "ok": ["ok-back"], "warn": ["face", "warn-back"], "bad": ["face", "bad-back"], "text": ["face", "warn-back", "bad-back"]}
    for name, behind in grounds.items():
        for ground in behind:
            light, dark = sorted((luminance(colors[name]), luminance(colors[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{scheme}: {name} on {ground}"


# With one.


@pytest.mark.long
def test_the_page_says_what_a_scrape_says(subject, browser):
    for _ in range(5):
        assert exchange(subject.ports["steady"], 70_000)
        assert exchange(subject.ports["pair"])
    with socket.create_connection(("127.0.0.1", subject.ports["steady"])) as kept:
        kept.sendall(b"x")
        assert kept.recv(1) == b"x"
        wait_until("what was closed is counted", lambda: subject.scraped("weir_tcp_connections_active", route="steady"), accept=lambda found: found == 1)
        shown(browser, subject.url, 5)
        for route in ("steady", "pair"):
            for title, family in (("Open", "weir_tcp_connections_active"), ("Failed dials", "weir_dial_failures_total")):
                expected = int(subject.scraped(family, route=route))
                wait_until(f"{route}: {title}", lambda: cell(browser, "tcp " + route, title), accept=lambda found: found == str(expected))
        assert int(subject.scraped("weir_dial_failures_total", route="pair")) > 0
        row = next(route for route in subject.status()["routes"] if route["name"] == "steady")
        assert row["bytes"] == [subject.scraped("weir_bytes_total", route="steady", direction=way) for way in ("ingress", "egress")]
        assert sum(row["closed"].values()) == subject.scraped("weir_tcp_connections_closed_total", route="steady")
        assert row["accepted"] == sum(row["closed"].values()) + row["active"]
        # Of an open route: its ends, in words.
        browser.value("""document.querySelector('tr[data-key="tcp steady"] button').click()""")
        ends = wait_until("the detail is drawn", lambda: browser.text("tr.detail .counts"))
        assert "ended by the client" in ends and str(row["closed"]["client_eof"]) in ends
    assert browser.complaints() == []


@pytest.mark.long
def test_a_dead_upstream_is_red_with_the_answer_that_shows_it(subject, browser):
    """One request a second is made, so red within three seconds is red with the first answer that can say so."""
    shown(browser, subject.url, 5)
    assert exchange(subject.ports["hurt"])
    browser.value("""{ const take = model.take.bind(model); window.seen = [];
        model.take = (answer) => { take(answer); const route = model.routes.get("tcp hurt"); seen.push([route.failed, route.state]); } }""")
    wait_until("the page asks on", lambda: browser.value("seen.length > 1"))
    subject.hurt.stop()
    try:
        state = """document.querySelector('tr[data-key="tcp hurt"] .state').dataset.state"""
        wait_until("the row is red", lambda: exchange(subject.ports["hurt"]) or browser.value(state) == "bad")
        seen = browser.value("seen")
        first = next(index for index, (failed, _) in enumerate(seen) if failed > seen[0][0])
        assert seen[first][1] == "bad", seen
        assert "connection refused" in browser.text("#trouble") and browser.value("document.querySelector('#summary').dataset.state") == "bad"
        wait_until("the event is told", lambda: browser.text("#events"), accept=lambda text: f"Dial failed: 127.0.0.1:{subject.hurt.port}" in text)
    finally:
        subject.hurt.start()
    wait_until("it is well again", lambda: exchange(subject.ports["hurt"]) and browser.value(state) != "bad")


@pytest.mark.long
def test_one_of_two_upstreams_is_shown_with_its_state_and_reason(subject, browser):
    shown(browser, subject.url, 5)
    wait_until("the dead one is out", lambda: exchange(subject.ports["pair"]) and "Degraded" in browser.text('tr[data-key="tcp pair"]'))
    text = browser.text("#upstreams")
    assert "ejected" in text and "dials failed" in text and "pair" in text


@pytest.mark.long
def test_hostile_names_are_text_and_nothing_leaves_the_machine(subject, browser):
    document = subject.status()
    assert any(HOSTILE in certificate["names"] for certificate in document["certificates"])
    subject.configuration.write_text(subject.text + f"  '{HOSTILE}': 1\n")
    try:
        wait_until("the reload is refused", lambda: HOSTILE in subject.status()["configuration"].get("problem", ""))
        shown(browser, subject.url, 5)
        assert HOSTILE in browser.text("#certificates")
        assert HOSTILE in browser.text("#configuration") and HOSTILE in browser.text("#events")
    finally:
        subject.configuration.write_text(subject.text)
    # Names of routes and upstreams have no such characters: the page is told of some that do.
    for route in document["routes"]:
        route["name"] += HOSTILE + "</script><script>alert(2)</script>"
        for upstream in route["upstreams"]:
            upstream["name"] = HOSTILE
            upstream["failures"] = {HOSTILE: 3}
        for member in route.get("members", []):
            member["name"] = member["cause"] = HOSTILE
        route["closed"] = {HOSTILE: 1}
    document["events"] = [{"level": "error", "route": HOSTILE, "text": HOSTILE, "reason": HOSTILE, "detail": HOSTILE, "first": 1, "last": 2, "count": 2}]
    document["agents"] = [{"name": HOSTILE, "address": HOSTILE, "up": False, "since": 1, "probed": 2, "reason": HOSTILE, "why": HOSTILE,
                           "protocol": HOSTILE, "tunnels": 1}]
    with Forger(subject, document) as forged:
        shown(browser, forged.url, 5)
        browser.value("document.querySelectorAll('.name').forEach((button) => button.click())")
        wait_until("the details are drawn", lambda: browser.value("document.querySelectorAll('tr.detail').length === 5"))
        assert HOSTILE in browser.text("#rows") and HOSTILE in browser.text("#events") and HOSTILE in browser.text("#agents")
        assert browser.value("document.querySelectorAll('img, script').length") == 1
        assert all(url.startswith((subject.url, forged.url)) for url in browser.requests())
    assert not [text for text in browser.complaints() if "Content Security Policy" in text]


@pytest.mark.long
def test_agents_are_shown_with_their_state_since_when_and_why(subject, browser):
    document = subject.status()
    document["configuration"].pop("problem", None)
    document["events"], hour = [], 3_600_000
    for route in document["routes"]:
        route["members"] = [dict(member, state="up") for member in route.get("members", [])]
    now = document["now"]
    document["agents"] = [
        {"name": "edge-1", "address": "10.0.0.5:8890", "up": True, "since": now - 3 * hour, "probed": now, "protocol": "weir-agent/1", "tunnels": 12},
        {"name": "edge-2", "address": "10.0.0.6:8890", "up": False, "since": now - 2 * hour, "probed": now, "reason": "refused",
         "why": "nothing listens at its address", "tunnels": 0},
        {"name": "edge-3", "address": "10.0.0.7:8890", "tunnels": 0}]
    with Forger(subject, document) as forged:
        shown(browser, forged.url, 5)
        text = wait_until("the agents are listed", lambda: browser.text("#agents"))
        for part in ("10.0.0.5:8890 · for 3 h · weir-agent/1 · 12 tunnels", "10.0.0.6:8890 · for 2 h: nothing listens at its address · 0 tunnels",
                     "10.0.0.7:8890 · 0 tunnels", "not probed yet"):
            assert part in text
        states = "[...document.querySelectorAll('#agents .state')].map((state) => state.dataset.state)"
        assert browser.value(states) == ["ok", "bad", "idle"]
        assert browser.text("#verdict") == "The agent edge-2 takes no tunnels" and "edge-2, agent" in browser.text("#trouble")
    assert browser.complaints() == [] or all("Failed to load" in text or "ERR_" in text for text in browser.complaints())


class Forger:
    """Serves the page of a Weir with its headers, and a status of ours."""

    def __init__(self, subject: Subject, document: dict):
        document = dict(document)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/api/v1/status":
                    document["now"] += 1000
                    head, body = {"Content-Type": "application/json"}, json.dumps(document).encode()
                else:
                    with urllib.request.urlopen(subject.url, timeout=30) as answer:
                        body = answer.read()
                        head = {name: answer.headers[name] for name in ("Content-Type", "Content-Security-Policy")}
                self.send_response(200)
                for name, value in (head | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.long
def test_a_hidden_page_asks_nothing_and_one_without_an_answer_says_so(subject, browser):
    shown(browser, subject.url, 5)
    hide = """Object.defineProperty(document, "hidden", { value: %s, configurable: true }); document.dispatchEvent(new Event("visibilitychange"));"""
    browser.value(hide % "true")
    wait_until("no request is under way, and none is planned", lambda: browser.value("request === null && timer === 0"))
    browser.value(hide % "false")
    before = browser.value("model.document.now")
    wait_until("it asks again", lambda: browser.value("model.document.now"), accept=lambda now: now > before)
    subject.process.stop()
    wait_until("it says so", lambda: browser.text("#verdict"), accept=lambda text: text == "Weir does not answer")
    assert browser.value("pause") > 1000
    subject.start()
    started = subject.status()["started"]
    wait_until("it goes on with the new process", lambda: browser.value("model.document.started"), 60, lambda found: found == started)
    assert wait_until("it is well", lambda: "answer" not in browser.text("#verdict"))


@pytest.mark.long
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_it_fits_the_window_and_needs_no_mouse(subject, browser, width):
    shown(browser, subject.url, 5, width=width, height=800, phone=width < 700, dark=width == 390)
    browser.value("document.querySelectorAll('.name').forEach((button) => button.click())")
    assert browser.value("document.documentElement.scrollWidth") <= width
    browser.value("document.querySelector('.name').click(); document.querySelector('.name').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r" if kind == "keyDown" else "")
    assert browser.value("document.activeElement.getAttribute('aria-expanded')") == "true"
    # As a screen reader has it.
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if "role" in node and not node.get("ignored")]
    assert "table" in roles and "status" in roles and "searchbox" in roles
    # Charts of rows have no room in a small window.
    assert roles.count("columnheader") == (8 if width > 900 else 7)
    assert roles.count("row") >= 11


@pytest.mark.long
def test_a_thousand_routes_stay_light(browser, tmp_path):
    upstream, first = EchoServer(), free_ports(1000)
    exporter = next(port for port in iter(free_port, None) if port not in range(first, first + 1000))
    configuration = tmp_path / "weir.yml"
    configuration.write_text(f"exporter: {{ listen: 127.0.0.1:{exporter} }}\nlog: {{ level: error }}\nroutes:\n" + "".join(
        f"  r{number}: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: '{first + number}:{upstream.port}' }}\n" for number in range(1000)))
    with Process(tmp_path, weir(), "run", "--config", str(configuration)) as process:
        url = f"http://127.0.0.1:{exporter}/"
        wait_until("Weir is ready", lambda: process.check() or http(url + "readyz")[0] == 200, 60)
        for number in (0, 500, 999):
            assert exchange(first + number)
        request = urllib.request.Request(url + "api/v1/status", headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            packed = answer.read()
        assert len(packed) < 60_000 and len(gzip.decompress(packed)) < 500_000
        shown(browser, url, 1000)
        assert browser.value("visible.size") < 100
        browser.value("""document.getElementById("filter").value = "r999"; document.getElementById("filter").dispatchEvent(new Event("input"))""")
        assert browser.value("[...document.querySelectorAll('tr.route')].filter((row) => !row.hidden).length") == 1
        # The rings are of one size, whatever comes.
        assert browser.value("""(() => { const answer = JSON.parse(JSON.stringify(model.document));
            for (let time = 0; time < 1000; time++) { answer.now += 1000; model.take(JSON.parse(JSON.stringify(answer))); }
            return [model.rings.rows.size, model.rings.total.in.length, model.routes.size]; })()""") == [1000, 180, 1000]
    assert browser.complaints() == [] or all("Failed to load" in text or "ERR_" in text for text in browser.complaints())
