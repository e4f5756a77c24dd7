"""SSH and HTTPS on one port, with real clients and servers: a client without TLS goes to the route that takes the
rest.
"""

import os
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from peers import WeirByName
from ssh_server import SSHServer, await_listening, digest
from support import Process, free_port, run, tool, wait_until

pytestmark = pytest.mark.long

NAME = "web.weir.test"
FILE_BYTES = 32 << 20
TRANSFER_SECONDS = 300


class WebServer:
    """nginx with a certificate of its own, which serves one file."""

    def __init__(self, folder: Path, content: bytes):
        self.folder, self.port = folder, free_port()
        self.file, self.certificate, key = folder / "page", folder / "certificate.pem", folder / "key.pem"
        self.file.write_bytes(content)
        # A worker of root's nginx reads it as another user.
        self.file.chmod(0o644)
        made = run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
                   "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", str(key), "-out", str(self.certificate))
        assert made.returncode == 0, made.stderr
        places = "".join(
            f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        configuration = folder / "nginx.conf"
        configuration.write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr crit; events {{ }}\n"
            f"http {{ access_log off; {places} server {{ listen 127.0.0.1:{self.port} ssl http2; root {folder};\n"
            f"ssl_certificate {self.certificate}; ssl_certificate_key {key}; }} }}\n")
        self.process = Process(folder, tool("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(configuration))
        await_listening(self.process, self.port)

    def fetch(self, port: int, target: Path) -> subprocess.Popen:
        return subprocess.Popen(
            [tool("curl"), "--silent", "--show-error", "--noproxy", "*", "--cacert", str(self.certificate),
             "--resolve", f"{NAME}:{port}:127.0.0.1", "--output", str(target), f"https://{NAME}:{port}/page"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def servers():
    """Both servers, in folders that the user of sshd may enter."""
    with ExitStack() as stack:
        folders = []
        for name in ("ssh", "web"):
            folders.append(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"weir-{name}-"))))
        ssh = SSHServer(folders[0])
        stack.callback(ssh.process.stop)
        web = WebServer(folders[1], os.urandom(FILE_BYTES))
        stack.callback(web.process.stop)
        yield ssh, web


def test_files_go_by_scp_and_https_through_one_port_at_the_same_time(servers, tmp_path):
    ssh, web = servers
    original, back = tmp_path / "original", tmp_path / "back"
    original.write_bytes(os.urandom(FILE_BYTES))
    routes = {"web": (web.port, f", sni: {NAME}"), "ssh": (ssh.port, "")}
    with WeirByName(tmp_path, routes) as weir:

        def at_once(*transfers: subprocess.Popen):
            for transfer in transfers:
                output, _ = transfer.communicate(timeout=TRANSFER_SECONDS)
                assert transfer.returncode == 0, output

        pages = [tmp_path / f"page-{number}" for number in range(2)]
        at_once(ssh.scp(weir.port, str(original), ssh.remote("copy")), web.fetch(weir.port, pages[0]))
        at_once(ssh.scp(weir.port, ssh.remote("copy"), str(back)), web.fetch(weir.port, pages[1]))
        assert digest(ssh.files / "copy") == digest(back) == digest(original)
        assert [digest(page) for page in pages] == [digest(web.file)] * 2

        def closed(page) -> list[float]:
            return [page.total("weir_tcp_connections_closed_total", route=route) for route in routes]

        page = wait_until("all connections have ended", weir.page, accept=lambda page: closed(page) == [2, 2])
        hellos = {result: page.total("weir_tls_hellos_total", result=result) for result in ("name", "not_tls")}
        assert hellos == {"name": 2, "not_tls": 2}
        assert page.total("weir_tls_hellos_total") == 4
