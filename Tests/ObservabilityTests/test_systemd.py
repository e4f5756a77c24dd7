"""The Debian package and its unit under a real systemd, which runs in a container: start, reload, stop, the watchdog, the
journal, an address that comes late, an upgrade and a removal. Takes minutes: `scripts/test --full`.
"""

import json
import re
import socket
import time

import pytest

from machines import CGROUPS, DEBIAN, in_network
from support import run, wait_until

UNIT = "weir.service"
# Enough for systemd in a container: a file system for its sockets, its cgroups, mounts for the sandboxes of units, and
# addresses.
CAPABLE = (
    "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "seccomp=unconfined",
    "--security-opt", "apparmor=unconfined", "--tmpfs", "/run", "--tmpfs", "/run/lock",
    "--stop-signal", "SIGRTMIN+3")
EXPORTER = "exporter: { listen: 127.0.0.1:9847 }\n"
ROUTES = EXPORTER + 'routes:\n  web: { scheme: tcp4, host: upstream, port: "80:7" }\n'
# Of no network here (RFC 5737).
LATE = "203.0.113.77"
LATE_ROUTES = EXPORTER + f'routes:\n  late: {{ scheme: tcp4, bind: {LATE}, host: upstream, port: "80:7"MORE }}\n'
# A line of Weir's log, or of one of its commands.
OWN_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) \S|weir: (error|warning): |/etc/weir/weir\.yml:")

pytestmark = pytest.mark.long


class Machine:
    """A Debian whose process 1 is systemd."""

    def __init__(self, container):
        self.container = container
        self.cursor = ""

    def systemctl(self, *arguments: str):
        return self.container.ask("systemctl", *arguments)

    def call(self, *command: str) -> str:
        return self.container.call(*command)

    def write(self, path: str, text: str):
        """In one step, because Weir watches its file."""
        script = 'mkdir -p "${0%/*}" && cat >"$0.new" && mv "$0.new" "$0"'
        self.container.engine.docker("exec", "--interactive", self.container.name, "sh", "-c", script, path, input=text)

    def configure(self, text: str):
        self.write("/etc/weir/weir.yml", text)

    def drop_in(self, text: str):
        """As `systemctl edit weir` does."""
        self.write("/etc/systemd/system/weir.service.d/override.conf", f"[Service]\n{text}\n")
        self.call("systemctl", "daemon-reload")

    def reset(self):
        """The unit as the package has it, stopped."""
        self.call("systemctl", "stop", UNIT)
        self.call("rm", "-rf", "/etc/systemd/system/weir.service.d")
        self.call("systemctl", "daemon-reload")
        self.systemctl("reset-failed", UNIT)
        self.configure(ROUTES)
        shown = self.call("journalctl", "--lines", "0", "--show-cursor", "--quiet")
        self.cursor = shown.rpartition("-- cursor: ")[2].strip()

    def start(self):
        started = self.systemctl("start", UNIT)
        assert started.returncode == 0, started.stderr + "\n".join(self.journal())

    def property(self, name: str) -> str:
        return self.call("systemctl", "show", "--value", "--property", name, UNIT)

    def active(self) -> str:
        return self.property("ActiveState")

    def entries(self) -> list[dict]:
        """All of the journal since the last reset."""
        shown = self.call("journalctl", "--output", "json", "--no-pager", "--quiet", f"--after-cursor={self.cursor}")
        return [json.loads(line) for line in shown.splitlines()]

    def journal(self) -> list[str]:
        """The lines of the unit's processes."""
        return [entry["MESSAGE"] for entry in self.entries() if entry.get("_SYSTEMD_UNIT") == UNIT]

    def await_line(self, text: str, deadline: float = 60) -> str:
        return wait_until(
            f"the journal has '{text}'", lambda: next((line for line in self.journal() if text in line), None), deadline)

    def connect(self) -> socket.socket:
        """A client of port 80, from outside."""
        client = socket.create_connection(("127.0.0.1", self.container.published("80/tcp")), timeout=60)
        exchange(client, b"first")
        return client


def exchange(client: socket.socket, data: bytes):
    client.sendall(data)
    assert client.makefile("rb").read(len(data)) == data


@pytest.fixture(scope="module")
def machine(engine, packages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    needed = set()
    for version in ("0.1.9", "0.2.0"):
        (package,) = packages.glob(f"weir_{version}_*.deb")
        (folder / f"{version}.deb").write_bytes(package.read_bytes())
        depends = run("dpkg", "--field", str(package), "Depends").stdout
        needed |= {one.split()[0] for one in depends.split(",")}
    (folder / "Dockerfile").write_text(
        f"FROM {DEBIAN}\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends systemd systemd-sysv dbus iproute2 "
        f"{' '.join(sorted(needed))}\nCOPY *.deb /root/\n")
    engine.build("weir-tests:systemd", folder)
    # One hierarchy of cgroups where there are several.
    cgroups = CGROUPS / "systemd" if (CGROUPS / "systemd").is_dir() else CGROUPS
    options = in_network("machine", "--publish", "127.0.0.1::80/tcp", "--volume", f"{cgroups}:{cgroups}:rw", *CAPABLE)
    with engine.container("weir-tests:systemd", "/sbin/init", options=options) as container:
        made = Machine(container)
        wait_until(
            "systemd runs", lambda: made.systemctl("is-system-running").stdout.strip(), 120,
            lambda found: found in ("running", "degraded"))
        # As systemd does on a host; the credentials of a unit come by a mount that spreads.
        container.call("mount", "--make-rshared", "/")
        container.call("dpkg", "--install", "/root/0.1.9.deb")
        assert made.active() == "inactive", "a first installation starts nothing"
        yield made


@pytest.fixture
def unit(machine):
    machine.reset()
    return machine


def test_it_starts_as_a_user_of_its_own_with_one_capability_and_all_that_the_unit_grants(unit):
    unit.drop_in("LoadCredential=tokens:/etc/weir/tokens")
    unit.write("/etc/weir/tokens", "a-token-of-sixteen-bytes-and-more\n")
    unit.call("chmod", "600", "/etc/weir/tokens")
    unit.configure(
        "exporter:\n  listen: [127.0.0.1:9847, unix:/run/weir/exporter.sock]\n"
        "  auth: { bearer_token_file: '${CREDENTIALS_DIRECTORY}/tokens' }\n"
        "acl: { log: { path: /var/log/weir/acl.log, log_allowed: true } }\n"
        "routes:\n  web: { scheme: tcp4, host: upstream, port: '80:7', pre_dial: { exec: [/bin/sh, -c, 'exit 0'] } }\n")
    unit.start()
    # Started is ready: no wait.
    assert unit.active() == "active" and unit.call("weir", "health", "--ready") == "ready"
    assert unit.call("weir", "health", "--exporter", "unix:/run/weir/exporter.sock") == "ok"
    assert unit.property("StatusText"), "systemctl status tells what is served"
    status = unit.call("cat", f"/proc/{unit.property('MainPID')}/status")
    assert int(re.search(r"^Uid:\t(\d+)", status, re.MULTILINE)[1]) >= 61184, "not a dynamic user"
    bind_service = f"{1 << 10:016x}"
    # Not ambient any more: programs before the dial do not inherit it.
    assert re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\t(\w+)$", status, re.MULTILINE) == [bind_service] * 3 + ["0" * 16]
    unit.connect().close()
    wait_until("the access log has its line", lambda: "allowed" in unit.call("cat", "/var/log/weir/acl.log"))


def test_a_reload_waits_takes_a_good_file_and_tells_why_it_refuses_another(unit):
    unit.start()
    process = unit.property("MainPID")
    with unit.connect() as client:
        unit.configure(ROUTES + '  second: { scheme: tcp4, host: upstream, port: "81:7" }\n')
        taken = unit.systemctl("reload", UNIT)
        assert taken.returncode == 0, taken.stderr
        assert any("stream started protocol=tcp route=second" in line for line in unit.journal())

        unit.configure(ROUTES + '  third: { scheme: tcp9, host: upstream, port: "82:7" }\n')
        refused = unit.systemctl("reload", UNIT)
        assert refused.returncode == 1
        unit.await_line("/etc/weir/weir.yml:4:")
        unit.await_line("the reload was refused, and the old configuration goes on")
        assert (unit.active(), unit.property("MainPID")) == ("active", process)
        assert "tcp9" in unit.property("StatusText"), "systemctl status tells why"
        exchange(client, b"through both")
    unit.connect().close()
    assert unit.call("weir", "health", "--ready") == "ready", "whatever the file says by now"


def test_the_journal_has_no_line_that_is_not_of_weir(unit):
    unit.configure(ROUTES.replace('"80:7"', '"80:7", pre_dial: { exec: [/bin/sh, -c, "exit 0"] }'))
    unit.start()
    for _ in range(20):
        unit.connect().close()
    assert unit.systemctl("reload", UNIT).returncode == 0
    unit.call("systemctl", "restart", UNIT)
    unit.connect().close()
    unit.call("systemctl", "stop", UNIT)
    lines = unit.journal()
    assert [sum(text in line for line in lines) for text in (" INFO ready ", " INFO stopped")] == [2, 2]
    assert [line for line in lines if not OWN_LINE.match(line)] == []
    # Nor does systemd complain of the unit.
    of_systemd = [entry for entry in unit.entries() if entry.get("UNIT") == UNIT and "_SYSTEMD_UNIT" not in entry]
    assert [entry["MESSAGE"] for entry in of_systemd if int(entry["PRIORITY"]) < 6] == []


def test_it_keeps_trying_until_its_address_is_there(unit):
    # Systemd gives up after five starts in ten seconds unless the unit forbids that: here they come faster.
    assert unit.property("RestartUSec") == "3s"
    unit.drop_in("RestartSec=100ms")
    unit.configure(LATE_ROUTES.replace("MORE", ""))
    assert unit.systemctl("start", UNIT).returncode == 1
    wait_until("many starts have failed", lambda: int(unit.property("NRestarts")), 120, lambda count: count > 7)
    assert unit.active() == "activating"
    unit.await_line(LATE)
    unit.call("ip", "address", "add", f"{LATE}/32", "dev", "lo")
    try:
        wait_until("it serves", unit.active, 60, lambda found: found == "active")
        assert unit.call("weir", "health", "--ready") == "ready"
        unit.call("systemctl", "stop", UNIT)
    finally:
        unit.call("ip", "address", "delete", f"{LATE}/32", "dev", "lo")


def test_with_freebind_it_starts_without_its_address(unit):
    unit.configure(LATE_ROUTES.replace("MORE", ", freebind: true"))
    unit.start()
    assert unit.call("weir", "health", "--ready") == "ready" and unit.property("NRestarts") == "0"


def test_a_process_that_stands_still_is_started_again(unit):
    unit.start()
    assert unit.property("WatchdogUSec") == "30s"
    unit.call("systemctl", "stop", UNIT)
    unit.drop_in("WatchdogSec=2s\nTimeoutAbortSec=2s")
    unit.start()
    process = unit.property("MainPID")
    # It says that it lives, for longer than the watchdog waits.
    begun = time.monotonic()
    wait_until("time passes", lambda: time.monotonic() - begun > 5)
    assert (unit.property("MainPID"), unit.property("NRestarts")) == (process, "0")
    # The shell's own: a minimal Debian has no kill(1).
    unit.call("sh", "-c", f"kill -s STOP {process}")
    wait_until("it is another process", lambda: (unit.active(), unit.property("NRestarts")), 60,
               lambda found: found == ("active", "1"))
    assert unit.property("MainPID") != process
    unit.connect().close()


def test_a_stop_lets_a_connection_finish_beyond_the_time_that_systemd_gives(unit):
    # The drain takes longer than that: Weir asks for more.
    unit.drop_in("TimeoutStopSec=1s")
    unit.start()
    client = unit.connect()
    with client, unit.container.engine.begin("exec", unit.container.name, "systemctl", "stop", UNIT) as stopping:
        unit.await_line(" draining ")
        begun = time.monotonic()
        wait_until("time passes", lambda: time.monotonic() - begun > 4)
        exchange(client, b"still served")
        assert unit.active() == "deactivating" and stopping.poll() is None
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        assert stopping.wait(60) == 0
    assert (unit.active(), unit.property("Result"), unit.property("ExecMainStatus")) == ("inactive", "success", "0")
    assert " INFO stopped" in unit.journal()[-1]


def test_an_upgrade_restarts_what_runs_and_a_removal_stops_it(unit):
    unit.start()
    old = unit.property("MainPID")
    unit.call("systemctl", "enable", UNIT)
    unit.call("dpkg", "--install", "/root/0.2.0.deb")
    new = unit.property("MainPID")
    assert unit.active() == "active" and new != old
    unit.connect().close()
    unit.call("dpkg", "--remove", "weir")
    assert unit.active() == "inactive" and unit.property("LoadState") == "not-found"
    assert unit.container.ask("test", "-e", f"/proc/{new}").returncode == 1
    assert unit.container.ask("test", "-e", "/etc/systemd/system/multi-user.target.wants/weir.service").returncode == 1
    unit.call("dpkg", "--purge", "weir")
    assert unit.container.ask("test", "-e", "/etc/weir").returncode == 1
