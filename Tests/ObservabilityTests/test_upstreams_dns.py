"""Three name servers behind a route, one of which is killed or stopped under dnsperf. nginx stands beside Weir with the
same servers: its figures are printed.
"""

import re
import signal
from contextlib import contextmanager

import pytest

from networks import own_network
from peers import FALL, Nginx, Weir
from support import Process, free_ports, tool, wait_until

pytestmark = pytest.mark.long

ZONE = "weir.test"
# All names are equally long, and so is every question: header, three labels of these lengths with their counts, the
# root, type and class.
NAMES = range(10, 74)
QUESTION_BYTES = 12 + 1 + len("host10") + 1 + len("weir") + 1 + len("test") + 1 + 4
QUESTIONS_PER_SECOND = 300
# A session of UDP stays with its server: enough that each of three has some.
SOCKETS = 48
# How long dnsperf waits for an answer before it says that the question is lost, and the questions of more than that
# time: dnsperf never asks faster.
PATIENCE_SECONDS = 5
MANY = QUESTIONS_PER_SECOND * (PATIENCE_SECONDS + 1)
NGINX_SECONDS = 8


@pytest.fixture(scope="module", autouse=True)
def network():
    with own_network():
        yield


class NameServer:
    """An unbound that answers from local data only."""

    def __init__(self, folder, port: int):
        self.folder, self.port, self.name = folder, port, f"127.0.0.1:{port}"
        lines = [
            "interface: 127.0.0.1", f"port: {port}", "do-daemonize: no", "use-syslog: no", 'logfile: ""',
            'username: ""', 'chroot: ""', f'directory: "{folder}"', f'pidfile: "{folder}/unbound-{port}.pid"',
            "num-threads: 1", "so-rcvbuf: 0", "access-control: 127.0.0.0/8 allow", 'module-config: "iterator"',
            f'local-zone: "{ZONE}." static',
            *(f'local-data: "host{number}.{ZONE}. 60 IN A 192.0.2.{number}"' for number in NAMES)]
        self.file = folder / f"unbound-{port}.conf"
        self.file.write_text(
            "server:\n" + "".join(f"    {line}\n" for line in lines) + "remote-control:\n    control-enable: no\n")
        self.start()

    def start(self):
        self.process = Process(self.folder, tool("unbound"), "-d", "-p", "-c", str(self.file))
        wanted = f":{self.port:04X} "
        wait_until("unbound listens", lambda: self.process.check() or wanted in open("/proc/net/udp").read())

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.process.wait()

    def stand_still(self):
        self.process.signal(signal.SIGSTOP)

    def go_on(self):
        self.process.signal(signal.SIGCONT)

    def stop(self):
        if self.process.process.poll() is None:
            self.kill()


@pytest.fixture
def servers(tmp_path):
    first = free_ports(3)
    made = [NameServer(tmp_path, first + number) for number in range(3)]
    yield made
    for server in made:
        server.stop()


class Questions:
    """What one run of dnsperf asked, and what became of it; known when the block is over."""

    sent = lost = 0

    @classmethod
    @contextmanager
    def asked(cls, folder, port: int, seconds: int | None = None):
        """Asks for so long, or until the block is over."""
        file = folder / "questions"
        file.write_text("".join(f"host{number}.{ZONE} A\n" for number in NAMES))
        run = Process(
            folder, tool("dnsperf"), "-s", "127.0.0.1", "-p", str(port), "-d", str(file), "-l", str(seconds or 600),
            "-c", str(SOCKETS), "-q", "10000", "-t", str(PATIENCE_SECONDS), "-T", "1", "-Q", str(QUESTIONS_PER_SECOND))
        questions = cls()
        try:
            yield questions
            if seconds is None:
                run.signal(signal.SIGINT)
            # It ends in order, and waits for the answers that it is owed.
            run.process.wait(120)
        finally:
            run.stop()
        report = run.log.read_text()
        sent, lost = (re.search(rf"Queries {word}:\s+(\d+)", report) for word in ("sent", "lost"))
        assert sent and lost, report
        questions.sent, questions.lost = int(sent[1]), int(lost[1])


def _asked(weir: Weir, *upstreams: str) -> float:
    """The questions that were passed to these."""
    page = weir.page()
    return sum(
        page.total("weir_upstream_bytes_total", upstream=upstream, direction="ingress")
        for upstream in upstreams) / QUESTION_BYTES


def _await_questions(weir: Weir, *upstreams: str):
    """Waits for so many more that all before are answered or lost."""
    enough = _asked(weir, *upstreams) + MANY
    wait_until(f"{MANY} more questions", lambda: _asked(weir, *upstreams), 120, lambda asked: asked >= enough)


@pytest.mark.parametrize("sessions", ["one answer each", "kept"])
@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_the_questions_that_are_lost_are_those_before_the_checks_decide(fault, sessions, servers, tmp_path, say):
    failing, *others = servers
    begin, end = {"killed": (failing.kill, failing.start), "stopped": (failing.stand_still, failing.go_on)}[fault]
    names = [server.name for server in servers]
    rest = [server.name for server in others]
    with Weir(tmp_path, [f'"{name}"' for name in names], scheme="udp4", route=f"""
health: {{ check: dns, name: host10.{ZONE}, type: a, interval: 1s, timeout: 1s, fall: {FALL}, rise: 2 }}
{"responses: 1" if sessions == "one answer each" else ""}
""") as weir:
        weir.await_up(*names)
        with Questions.asked(tmp_path, weir.port) as during:
            wait_until("all are asked", lambda: min(_asked(weir, name) for name in names), 60, lambda least: least > 50)
            before = weir.page()
            begin()
            to_it, to_others = _asked(weir, failing.name), _asked(weir, *rest)
            out = weir.await_up(*rest)
            to_it, to_others = _asked(weir, failing.name) - to_it, _asked(weir, *rest) - to_others
            _await_questions(weir, *rest)
        failed_checks = sum(
            page.total("weir_health_checks_total", upstream=failing.name, result=result) * sign
            for page, sign in ((out, 1), (before, -1)) for result in ("timeout", "refused"))
        say(f"{fault}, sessions {sessions}: Weir lost {during.lost} of {during.sent}; {to_it:.0f} went there and "
            f"{to_others:.0f} elsewhere before it was out, after {failed_checks:.0f} failed checks")
        # The scrape that saw it out may have come after another check.
        assert failed_checks <= FALL + 1
        # A question that was on its way when the server failed was counted before.
        assert during.lost <= to_it + SOCKETS
        with Questions.asked(tmp_path, weir.port) as while_out:
            _await_questions(weir, *rest)
        assert while_out.lost == 0
        with Questions.asked(tmp_path, weir.port) as at_return:
            end()
            weir.await_up(*names)
            _await_questions(weir, *names)
        assert at_return.lost == 0
    if sessions == "kept":
        return
    with Nginx(tmp_path, names, is_udp=True) as nginx:
        begin()
        with Questions.asked(tmp_path, nginx.port, NGINX_SECONDS) as during:
            pass
        end()
        say(f"{fault}: nginx lost {during.lost} of {during.sent} in {NGINX_SECONDS} s")
