"""The project's Dockerfile in a real Docker engine: the contents of the image, and the life of its containers. The engine
gets no image from a registry, so debootstrap makes Debian's, and a stand-in for the compiler's image has a program that
was built before. Takes minutes: `scripts/test --full`.
"""

import re
import socket
from pathlib import Path

import pytest

from machines import in_network
from support import REPOSITORY, wait_until

RUNTIME = (REPOSITORY / "Dockerfile").read_text().split("\nFROM debian:bookworm-slim\n")[1]
PACKAGES = re.search(r"--no-install-recommends (.+?) \\", RUNTIME)[1].split()
# As docker-compose.yml has it.
CONFINED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true")
ROUTES = """
  tcp-route: { scheme: tcp4, host: upstream, port: "80:7" }
  udp-route: { scheme: udp4, host: upstream, port: "80:7" }
"""

pytestmark = pytest.mark.long


@pytest.fixture
def folder(tmp_path):
    """The folder of the configuration, which the container's user may read and not write."""
    tmp_path.chmod(0o755)
    configure(tmp_path)
    return tmp_path


def configure(folder: Path, routes: str = ROUTES, more: str = ""):
    """In one step, because Weir watches the file."""
    beside = folder / "new"
    beside.write_text(f"exporter: {{ listen: '0.0.0.0:9847' }}\n{more}routes:{routes}")
    beside.chmod(0o644)
    beside.rename(folder / "weir.yml")


@pytest.fixture
def weir(engine, image, folder):
    """A running container, whose ports are published on 127.0.0.1."""
    with started(engine, image, folder) as container:
        yield container


def started(engine, image, folder, *options: str):
    published = ("--publish", "127.0.0.1::80/tcp", "--publish", "127.0.0.1::80/udp")
    mounted = ("--volume", f"{folder}:/etc/weir:ro")
    health = ("--health-interval", "1s", "--health-start-period", "0s")
    container = engine.container(image, options=in_network("weir", *published, *mounted, *health, *CONFINED, *options))
    try:
        container.await_line(" ready ")
    except AssertionError:
        container.__exit__()
        raise
    return container


def connect(container) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", container.published("80/tcp")), timeout=60)
    exchange(client, b"first")
    return client


def exchange(client: socket.socket, data: bytes):
    client.sendall(data)
    received = b""
    while len(received) < len(data):
        piece = client.recv(65_536)
        assert piece, f"the connection ended after {len(received)} of {len(data)} bytes"
        received += piece
    assert received == data


def test_the_image_holds_the_packages_that_the_program_needs_and_no_other_user_than_its_own(engine, image):
    configured = engine.inspect(image)["Config"]
    assert configured["User"] == "10001:10001" and configured["StopSignal"] == "SIGTERM"
    assert set(configured["ExposedPorts"]) == {"9847/tcp"}

    def inside(*command: str) -> str:
        return engine.docker("run", "--rm", "--network", "none", "--entrypoint", command[0], image, *command[1:])

    linked = inside("ldd", "/usr/local/bin/weir")
    assert "not found" not in linked and "swift" not in linked, linked
    assert "libmaxminddb" in linked and "libcurl" in linked, "built without the package traits GeoIP and Docker"
    assert "libssl" in linked, "built without the package trait TLS"
    owned = inside("dpkg", "-S", *[f"*/{name}" for name in re.findall(r"^\s*(\S+\.so\S*) =>", linked, re.MULTILINE)])
    owners = set(re.findall(r"^([\w.+-]+)(?::\w+)?:", owned, re.MULTILINE))
    assert set(PACKAGES) <= owners, f"not linked: {set(PACKAGES) - owners}"
    assert inside("id") == "uid=10001(weir) gid=10001(weir) groups=10001(weir)"


def test_it_relays_published_ports_below_1024_as_its_user_without_capabilities_on_a_read_only_system(weir):
    status = Path(f"/proc/{weir.process}/status").read_text()
    assert re.search(r"^Uid:\t10001\t10001\t10001\t10001$", status, re.MULTILINE)
    assert re.findall(r"^Cap\w+:\t(\w+)$", status, re.MULTILINE) == ["0" * 16] * 5
    assert "Read-only file system" in weir.ask("sh", "-c", "echo > /tmp/file").stderr
    with connect(weir) as client:
        exchange(client, b"through the engine" * 10_000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(30)
        client.connect(("127.0.0.1", weir.published("80/udp")))
        client.send(b"datagram")
        assert client.recv(1024) == b"datagram"


def test_the_engine_sees_that_it_is_well_and_that_it_stands_still(engine, image, folder):
    with started(engine, image, folder, "--health-timeout", "1s", "--health-retries", "1") as weir:
        def health() -> str:
            return weir.state["Health"]["Status"]

        wait_until("it is healthy", health, 60, lambda found: found == "healthy")
        weir.signal("STOP")
        wait_until("it is unhealthy", health, 60, lambda found: found == "unhealthy")
        weir.signal("CONT")
        wait_until("it is healthy again", health, 60, lambda found: found == "healthy")


def test_docker_stop_lets_a_connection_finish(engine, weir):
    client = connect(weir)
    engine.docker("kill", "--signal", "HUP", weir.name)
    weir.await_line("configuration reloaded")
    with client, engine.begin("stop", "--time", "100", weir.name) as stopping:
        weir.await_line(" draining ")
        exchange(client, b"still served")
        assert stopping.poll() is None, "it ended before its connection"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        assert stopping.wait(90) == 0
    state = weir.state
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    assert " INFO stopped" in weir.log().splitlines()[-1]


def test_a_hangup_and_weir_reload_take_a_good_file_and_refuse_a_bad_one(engine, weir, folder):
    with connect(weir) as client:
        # A file that is as it was: only the signal makes Weir read it again.
        weir.signal("HUP")
        weir.await_line("configuration reloaded")
        configure(folder, ROUTES + "  another: { scheme: tcp4, host: upstream, port: '81:7' }\n")
        taken = weir.ask("weir", "reload")
        assert (taken.returncode, taken.stdout) == (0, "/etc/weir/weir.yml: reloaded\n"), taken
        weir.await_line("stream started protocol=tcp route=another")

        configure(folder, ROUTES + "  another: { scheme: tcp4, hots: upstream, port: '81:7' }\n")
        refused = weir.ask("weir", "reload")
        assert refused.returncode == 1 and "the old configuration goes on" in refused.stderr, refused
        assert "/etc/weir/weir.yml:5:" in refused.stderr and "`hots`" in refused.stderr, refused.stderr
        exchange(client, b"through all reloads")
    assert weir.ask("weir", "health", "--ready").returncode == 0


@pytest.mark.parametrize("options, workers, source", [
    (("--cpus", "0.5"), 1, "quota of 0.5"), (("--cpuset-cpus", "0"), 1, "affinity"),
])
def test_automatic_workers_are_those_that_the_container_may_use(engine, image, folder, options, workers, source):
    with started(engine, image, folder, *options) as weir:
        line = weir.await_line(" ready ")
        assert f" workers={workers} " in line and source in line, line


def children(process: int) -> list[str]:
    """The states of a process's children. The engine's own list has no zombies, because they are in no cgroup."""
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == process:
            states.append(state)
    return states


def test_process_1_reaps_what_programs_before_the_dial_leave_behind(engine, image, folder):
    # Each leaves a process behind, which ends when the test says so.
    script = "touch /tmp/go-on; (while [ -e /tmp/go-on ]; do sleep 0.1; done) & exit 0"
    program = f"pre_dial: {{ exec: [/bin/sh, -c, '{script}'] }}"
    configure(folder, f'\n  a: {{ scheme: tcp4, host: upstream, port: "80:7", {program} }}\n')
    with started(engine, image, folder, "--tmpfs", "/tmp:mode=1777") as weir:
        process = weir.process
        for _ in range(5):
            connect(weir).close()
        wait_until("five are left behind", lambda: children(process), 60, lambda found: len(found) == 5)
        weir.call("rm", "/tmp/go-on")
        wait_until("none is left, not even a zombie", lambda: children(process), 60, lambda found: not found)
