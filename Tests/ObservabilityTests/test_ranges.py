"""Ranges of ports with real servers and clients: passive FTP, whose server chooses a port for each transfer, and TURN,
which has one port over both transports; and the start of a range of thousands of ports.
"""

import hashlib
import pwd
import re
import subprocess
from pathlib import Path

import pytest

from databases import UNPRIVILEGED
from peers import Weir
from support import Process, free_port, free_ports, run, tool, wait_until

pytestmark = pytest.mark.long

FILES = 1_000
PASSIVE_PORTS = 100
MANY_PORTS = 4_000


class WeirWithRoutes(Weir):
    """Weir with the routes of a text."""

    def __init__(self, folder: Path, routes: str):
        self.port = free_port()
        self._start(folder, routes)


def await_listening(process: Process, port: int):
    table = Path("/proc/net/tcp")
    wait_until(f"{process.name} listens", lambda: process.check() or f":{port:04X} " in table.read_text(), 60)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*") if file.is_file()}


def test_passive_ftp_passes_a_thousand_files_over_a_range(tmp_path):
    served, fetched = tmp_path / "served", tmp_path / "fetched"
    served.mkdir()
    fetched.mkdir()
    for number in range(FILES):
        (served / f"{number}.bin").write_bytes(hashlib.sha256(str(number).encode()).digest() * (number % 500 + 1))
    control, first = free_port(), free_ports(PASSIVE_PORTS)
    configuration, user = tmp_path / "vsftpd.conf", pwd.getpwuid(UNPRIVILEGED).pw_name
    configuration.write_text(
        f"listen=YES\nlisten_address=127.0.0.2\nlisten_port={control}\nbackground=NO\nrun_as_launching_user=YES\n"
        f"anonymous_enable=YES\nno_anon_password=YES\nftp_username={user}\nnopriv_user={user}\nseccomp_sandbox=NO\n"
        "pasv_enable=YES\n"
        # Both connections come from Weir, the second one perhaps from another address of it.
        f"pasv_promiscuous=YES\npasv_address=127.0.0.1\npasv_min_port={first}\n"
        f"pasv_max_port={first + PASSIVE_PORTS - 1}\n")
    routes = (
        f"  ftp: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.2,\n"
        f"         port: [{control}, '{first}-{first + PASSIVE_PORTS - 1}'] }}\n")
    with Process(tmp_path, tool("vsftpd"), str(configuration)) as server:
        await_listening(server, control)
        with WeirWithRoutes(tmp_path, routes) as proxy:
            copied = run(
                tool("lftp"), "-c",
                "set ftp:passive-mode true; set ftp:prefer-epsv false; set net:max-retries 3; set net:timeout 20; "
                f"open ftp://127.0.0.1:{control}; mirror --parallel=8 {served} {fetched}", timeout=600)
            assert copied.returncode == 0, copied.stdout + copied.stderr
            assert digests(fetched) == digests(served)
            page = proxy.page()
            accepted = page.total("weir_tcp_connections_accepted_total", route="ftp")
            # A connection for each file, and for the list and each client's commands.
            assert accepted > FILES
            assert page.total("weir_dial_failures_total", route="ftp") == 0
            assert page.total("weir_route_info", route="ftp") == 1


def lost_packets(output: str) -> int:
    """The packets that turnutils_uclient says are lost in the end."""
    found = re.findall(r"Total lost packets (\d+)", output)
    assert found, output
    return int(found[-1])


def test_turn_allocates_over_both_transports(tmp_path):
    port, first = free_port(), free_ports(50)
    user = "weir:secret"
    with Process(
            tmp_path, tool("turnserver"), "-n", "--listening-ip=127.0.0.2", "--relay-ip=127.0.0.2",
            f"--listening-port={port}", f"--min-port={first}", f"--max-port={first + 49}", "--no-tls", "--no-dtls",
            "--no-cli", "--allow-loopback-peers", "--lt-cred-mech", f"--user={user}", "--realm=weir.test",
            "--no-rfc5780", f"--pidfile={tmp_path}/turnserver.pid", f"--userdb={tmp_path}/turn.db",
            "--log-file=stdout") as server:
        await_listening(server, port)
        routes = f"  turn: {{ scheme: tcp4+udp4, bind: 127.0.0.1, host: 127.0.0.2, port: {port} }}\n"
        with WeirWithRoutes(tmp_path, routes) as proxy:
            name, _, password = user.partition(":")
            for transport in ([], ["-t"]):
                done = subprocess.run(
                    [tool("turnutils_uclient"), *transport, "-y", "-c", "-m", "2", "-n", "50", "-u", name, "-w",
                     password, "-p", str(port), "127.0.0.1"], capture_output=True, text=True, timeout=180)
                output = done.stdout + done.stderr
                assert done.returncode == 0, output
                assert lost_packets(output) == 0, output
            page = proxy.page()
            assert page.total("weir_tcp_connections_accepted_total", route="turn") >= 2
            assert page.total("weir_udp_sessions_opened_total", route="turn") >= 2
            for protocol in ("tcp", "udp"):
                assert page.total("weir_bytes_total", route="turn", protocol=protocol, direction="egress") > 0
                assert page.total("weir_route_info", route="turn", protocol=protocol) == 1


def test_a_range_of_thousands_of_ports_starts_and_reloads(tmp_path):
    first = free_ports(MANY_PORTS)
    last = first + MANY_PORTS - 1

    def routes(end: int) -> str:
        return f"  rtp: {{ scheme: udp4, bind: 127.0.0.1, host: 127.0.0.2, port: '{first}-{end}' }}\n"

    with WeirWithRoutes(tmp_path, routes(last)) as proxy:
        table = Path("/proc/net/udp")

        def listening() -> int:
            ports = {int(line.split()[1].partition(":")[2], 16) for line in table.read_text().splitlines()[1:]}
            return len(ports & set(range(first, last + 1)))

        assert listening() == MANY_PORTS
        proxy._configure(routes(last - 1_000), "")
        proxy.process.signal(1)
        wait_until("the ports that are gone are closed", lambda: listening() == MANY_PORTS - 1_000, 60)
