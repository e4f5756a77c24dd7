"""The runtime stage of the Dockerfile without a Docker engine: a minimal Debian with exactly the packages that it names
runs the program as its user, serves TCP and UDP, and says that it is well. Takes minutes: `scripts/test --full`.
"""

import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from support import REPOSITORY, Process, free_port, http, run, tool, wait_until
from world import EchoServer, echo_datagrams

BUILD, RUNTIME = (REPOSITORY / "Dockerfile").read_text().split("\nFROM debian:bookworm-slim\n")
PACKAGES = re.search(r"--no-install-recommends (.+?) \\", RUNTIME)[1].split()
USER = re.search(r"^USER (\d+:\d+)$", RUNTIME, re.MULTILINE)[1]
MIRROR = "http://deb.debian.org/debian"

pytestmark = pytest.mark.long


def build_command() -> list[str]:
    """The command of the build stage, with its default traits."""
    traits = re.search(r"^ARG TRAITS=(\S+)$", BUILD, re.MULTILINE)[1]
    written = re.search(r"^RUN (swift build .+?) \\$", BUILD, re.MULTILINE)[1]
    command = written.replace('${TRAITS:+--traits "$TRAITS"}', f"--traits {traits}")
    assert "$" not in command and f"--traits {traits}" in command, command
    return command.split()


def built() -> str:
    """The program as the build stage makes it: WEIR_IMAGE_BINARY, or built here."""
    if given := os.environ.get("WEIR_IMAGE_BINARY"):
        return given
    command = [*build_command(), "--scratch-path", str(REPOSITORY / ".build-image")]
    made = run(*command, cwd=REPOSITORY, timeout=3600)
    assert made.returncode == 0, made.stdout[-4000:] + made.stderr[-4000:]
    return run(*command, "--show-bin-path", cwd=REPOSITORY).stdout.strip() + "/weir"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The file system of the image."""
    assert os.geteuid() == 0, "chroot and debootstrap need root"
    folder = tmp_path_factory.mktemp("image") / "root"
    options = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
    made = run(tool("debootstrap"), *options, "bookworm", str(folder), MIRROR, timeout=1800)
    assert made.returncode == 0, made.stdout[-4000:] + made.stderr[-4000:]
    for command in re.findall(r"&& ((?:groupadd|useradd) .+?)(?: \\)?$", RUNTIME, re.MULTILINE):
        added = run("chroot", str(folder), *command.split())
        assert added.returncode == 0, added.stderr
    # A container engine writes this file.
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    stripped = run("install", "-D", "-s", built(), str(folder / "usr/local/bin/weir"))
    assert stripped.returncode == 0, stripped.stderr
    yield folder
    shutil.rmtree(folder)


def chrooted(root, *command: str) -> list[str]:
    # With /proc, as in a container (Swift reads its arguments there), in a mount namespace that ends with the command.
    mounted = 'mount --bind /proc "$1/proc" && exec chroot "--userspec=$0" "$@"'
    return ["unshare", "-m", "sh", "-c", mounted, USER, str(root), *command]


def test_every_library_is_there_and_every_named_package_is_needed(root):
    linked = run("chroot", str(root), "ldd", "/usr/local/bin/weir").stdout
    assert "not found" not in linked and "swift" not in linked, linked
    print((root / "usr/local/bin/weir").stat().st_size, "bytes, stripped")
    names = re.findall(r"^\s*(\S+\.so\S*) =>", linked, re.MULTILINE)
    owned = run("chroot", str(root), "dpkg", "-S", *[f"*/{name}" for name in names]).stdout
    owners = set(re.findall(r"^([\w.+-]+)(?::\w+)?:", owned, re.MULTILINE))
    assert "libmaxminddb" in linked, "built without the package trait GeoIP"
    assert set(PACKAGES) <= owners, f"not linked: {set(PACKAGES) - owners}"


def test_it_serves_tcp_and_udp_as_its_user_and_answers_weir_health(root, tmp_path):
    upstream, udp_upstream = EchoServer(), free_port()
    echo_datagrams(udp_upstream)
    exporter, tcp_port, udp_port = free_port(), free_port(), free_port()
    (root / "etc/weir").mkdir(exist_ok=True)
    (root / "etc/weir/weir.yml").write_text(
        f"exporter: {{ listen: '0.0.0.0:{exporter}' }}\nroutes:\n"
        f"  tcp-route: {{ scheme: tcp4, bind: 127.0.0.1, host: localhost, port: '{tcp_port}:{upstream.port}' }}\n"
        f"  udp-route: {{ scheme: udp4, bind: 127.0.0.1, host: 127.0.0.1, port: '{udp_port}:{udp_upstream}' }}\n")
    # ENTRYPOINT and CMD, then HEALTHCHECK, without further arguments.
    with Process(tmp_path, *chrooted(root, "/usr/local/bin/weir", "run")) as weir:
        wait_until("it is ready", lambda: weir.check() or http(f"http://127.0.0.1:{exporter}/readyz")[0] == 200, 60)
        status = Path(f"/proc/{weir.process.pid}/status").read_text()
        assert re.search(r"^Uid:\t10001\t10001\t10001\t10001$", status, re.MULTILINE)
        with socket.create_connection(("127.0.0.1", tcp_port), timeout=10) as client:
            client.sendall(b"through the image")
            client.shutdown(socket.SHUT_WR)
            received = b""
            while data := client.recv(1024):
                received += data
        assert received == b"through the image"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(("127.0.0.1", udp_port))
            client.send(b"datagram")
            assert client.recv(1024) == b"datagram"
        healthy = run(*chrooted(root, "/usr/local/bin/weir", "health"))
        assert healthy.returncode == 0, healthy.stdout + healthy.stderr
        weir.stop()
        assert weir.process.returncode == 0, "SIGTERM drains and ends with 0"
    gone = run(*chrooted(root, "/usr/local/bin/weir", "health"))
    assert gone.returncode == 1
