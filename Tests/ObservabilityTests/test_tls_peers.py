"""TLS with other implementations than OpenSSL, with brokers, and under what looks for weak places: GnuTLS, Go,
mosquitto, ssh through two of ours, testssl.sh. Both sides, and both versions.
"""

import json
import os
import re
import subprocess
import tempfile
import threading
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from encryption import EC, NAME, Authority, Echo, WeirWithTLS, connect, exchange
from ssh_server import SSHServer, await_listening, digest
from support import TOOLS, Process, free_port, run, tool, wait_until

pytestmark = pytest.mark.long

SCP_BYTES = 200 << 20
SCP_SECONDS = 400
VERSIONS = ("1.2", "1.3")
# The bytes of a version in a hello, as Go prints them.
NUMBERS = {"1.2": "303", "1.3": "304"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder)


@pytest.fixture(scope="module")
def server(authority):
    return authority.sign("server", f"DNS:{NAME}", "IP:127.0.0.1")


@pytest.fixture(scope="module")
def device(authority):
    return authority.sign("device-7.example.net")


@pytest.fixture
def echo():
    with Echo() as made:
        yield made


# GnuTLS


def gnutls_client(port: int, authority: Authority, version: str, *options: str) -> str:
    """Sends a line, and again behind the resumption of its session where the options say so; what it prints."""
    client = subprocess.Popen(
        [tool("gnutls-cli"), "--port", str(port), "--x509cafile", str(authority.certificate), "--sni-hostname", NAME,
         "--verify-hostname", NAME, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", *options, "127.0.0.1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    with client:
        client.stdin.write("hello\n")
        client.stdin.flush()
        for line in client.stdout:
            lines.append(line)
            if line == "hello\n":
                client.stdin.close()
                break
        lines += client.stdout.readlines()
    assert client.returncode == 0, "".join(lines)
    return "".join(lines)


@pytest.mark.parametrize("version", VERSIONS)
def test_gnutls_is_a_client_with_a_certificate_and_resumes(authority, server, device, echo, tmp_path, version):
    fields = f", tls: {{ client_ca: {authority.certificate} }}"
    with WeirWithTLS(tmp_path, server, {"echo": (echo.port, fields)}) as weir:
        own = ("--x509certfile", str(device.certificate), "--x509keyfile", str(device.key))
        shown = gnutls_client(weir.port, authority, version, "--resume", *own)
        assert f"Description: (TLS{version}" in shown and "This is a resumed session" in shown, shown
        assert weir.handshakes(side="client", version=version, resumed="false") == 1
        assert weir.handshakes(side="client", version=version, resumed="true") == 1
        assert weir.failures("echo") == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_gnutls_is_an_upstream_that_wants_a_certificate_and_resumes(authority, server, device, tmp_path, version):
    port = free_port()
    with ExitStack() as stack:
        upstream = stack.enter_context(Process(
            tmp_path, tool("gnutls-serv"), "--echo", "--quiet", "--port", str(port), "--x509certfile",
            str(server.certificate), "--x509keyfile", str(server.key), "--x509cafile", str(authority.certificate),
            "--require-client-cert", "--verify-client-cert", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}"))
        await_listening(upstream, port)
        encrypted = f", upstream_tls: {{ ca: {authority.certificate}, {device.yaml} }}"
        weir = stack.enter_context(WeirWithTLS(tmp_path, server, {"secure": (port, encrypted)}))
        for _ in range(2):
            with connect(weir.port) as client:
                assert exchange(client, b"one line\n") == b"one line\n"
        assert weir.handshakes(side="upstream", version=version, resumed="false") == 1
        assert weir.handshakes(side="upstream", version=version, resumed="true") == 1


# Go


@pytest.fixture(scope="module")
def go_peer(folder):
    made = folder / "tls_peer"
    source = Path(__file__).with_name("tls_peer.go")
    environment = os.environ | {
        "GO111MODULE": "off", "CGO_ENABLED": "0", "GOCACHE": str(folder / "go-cache"), "GOPATH": str(folder / "go")}
    built = run(tool("go"), "build", "-o", str(made), str(source), env=environment)
    assert built.returncode == 0, built.stderr
    return str(made)


@pytest.mark.parametrize("version", VERSIONS)
def test_go_is_a_client_with_a_certificate_that_resumes_and_half_closes(
        authority, server, device, echo, go_peer, tmp_path, version):
    fields = f", tls: {{ client_ca: {authority.certificate}, alpn: [mqtt, h2] }}"
    with WeirWithTLS(tmp_path, server, {"echo": (echo.port, fields)}) as weir:
        done = run(
            go_peer, "-version", version, "-address", f"127.0.0.1:{weir.port}", "-name", NAME, "-authority",
            str(authority.certificate), "-certificate", str(device.certificate), "-key", str(device.key), "-protocol",
            "h2", "-rounds", "5", "-bytes", "3000000")
        assert done.returncode == 0, done.stderr
        number = NUMBERS[version]
        assert done.stdout.splitlines() == [f"{number} {state} h2" for state in ("false", *["true"] * 4)]
        assert weir.handshakes(side="client", version=version, resumed="true") == 4
        assert weir.page().total("weir_tls_truncated_total") == 0
        refused = run(
            go_peer, "-version", version, "-address", f"127.0.0.1:{weir.port}", "-name", NAME, "-authority",
            str(authority.certificate))
        assert refused.returncode != 0
        weir.await_failures({"no_certificate": 1}, "echo")


@pytest.mark.parametrize("version", VERSIONS)
def test_go_is_an_upstream_that_wants_a_certificate_resumes_and_half_closes(
        authority, server, device, go_peer, tmp_path, version):
    port = free_port()
    with ExitStack() as stack:
        upstream = stack.enter_context(Process(
            tmp_path, go_peer, "-mode", "server", "-version", version, "-address", f"127.0.0.1:{port}", "-authority",
            str(authority.certificate), "-certificate", str(server.certificate), "-key", str(server.key), "-verify"))
        await_listening(upstream, port)
        encrypted = f"upstream_tls: {{ ca: {authority.certificate}, {device.yaml} }}"
        weir = stack.enter_context(WeirWithTLS(
            tmp_path, server, {"begun": (port, f", {encrypted}"), "both": (port, f", tls: true, {encrypted}")}))
        data = os.urandom(1 << 20)
        for _ in range(3):
            with connect(weir.ports["begun"]) as client:
                assert exchange(client, data[:100_000]) == data[:100_000]
                client.shutdown(1)
                assert client.recv(1) == b""
        done = run(
            go_peer, "-version", version, "-address", f"127.0.0.1:{weir.ports['both']}", "-name", NAME, "-authority",
            str(authority.certificate), "-rounds", "3", "-bytes", "3000000")
        assert done.returncode == 0, done.stderr
        # Both routes have the same settings, and so the same sessions.
        assert weir.handshakes(side="upstream", version=version, resumed="true") == 5
        assert weir.page().total("weir_tls_truncated_total") == 0


# mosquitto


def broker(stack: ExitStack, folder: Path, *lines: str) -> tuple[Process, int]:
    port = free_port()
    file = folder / f"mosquitto-{port}.conf"
    file.write_text(
        "\n".join((f"listener {port} 127.0.0.1", "allow_anonymous true", "log_type subscribe", *lines, "")))
    made = stack.enter_context(Process(folder, tool("mosquitto"), "-c", str(file)))
    await_listening(made, port)
    return made, port


def receives_messages(of: Process, port: int, folder: Path, *options: str) -> bool:
    """Whether a subscriber gets what a publisher sends, who have the same options."""
    common = ["-h", "127.0.0.1", "-p", str(port), "-t", "weir/test", "-q", "1", *options]
    with Process(folder, tool("mosquitto_sub"), *common, "-C", "20") as subscriber:
        wait_until("it has subscribed", lambda: subscriber.check() or "weir/test" in of.log.read_text())
        for number in range(20):
            sent = run(tool("mosquitto_pub"), *common, "-m", f"message {number}")
            assert sent.returncode == 0, sent.stderr
        subscriber.process.wait(60)
        text = subscriber.log.read_text()
        return subscriber.process.returncode == 0 and all(f"message {number}\n" in text for number in range(20))


def test_mosquittos_clients_with_certificates_reach_a_broker_without_tls(authority, server, device, tmp_path):
    with ExitStack() as stack:
        process, port = broker(stack, tmp_path)
        fields = f", tls: {{ client_ca: {authority.certificate}, alpn: mqtt }}"
        weir = stack.enter_context(WeirWithTLS(tmp_path, server, {"mqtts": (port, fields)}))
        trusted = ("--cafile", str(authority.certificate), "--tls-alpn", "mqtt")
        own = ("--cert", str(device.certificate), "--key", str(device.key))
        assert receives_messages(process, weir.port, tmp_path, *trusted, *own)
        assert weir.failures("mqtts") == {}
        dials = weir.page().total("weir_dials_total")
        refused = run(tool("mosquitto_pub"), "-h", "127.0.0.1", "-p", str(weir.port), "-t", "a", "-m", "b", *trusted)
        assert refused.returncode != 0
        weir.await_failures({"no_certificate": 1}, "mqtts")
        assert weir.page().total("weir_dials_total") == dials


def test_clients_without_tls_reach_a_broker_of_mosquitto_that_wants_certificates(authority, server, device, tmp_path):
    with ExitStack() as stack:
        # It gives up root's rights before it reads its key.
        tmp_path.chmod(0o755)
        for file in (server.key, server.certificate, authority.certificate):
            file.chmod(0o644)
        process, port = broker(
            stack, tmp_path, f"cafile {authority.certificate}", f"certfile {server.certificate}",
            f"keyfile {server.key}", "require_certificate true", *(["user root"] if os.geteuid() == 0 else []))
        fields = f", upstream_tls: {{ ca: {authority.certificate}, {device.yaml} }}"
        weir = stack.enter_context(WeirWithTLS(tmp_path, server, {"mqtt": (port, fields)}))
        assert receives_messages(process, weir.port, tmp_path)
        assert weir.failures("mqtt", "upstream") == {}
        assert weir.handshakes(side="upstream") >= 21


# OpenSSH through two of ours


def test_files_of_200_mb_go_by_scp_through_two_of_ours_with_tls_between_them(authority, server, device, tmp_path):
    with ExitStack() as stack:
        ssh = SSHServer(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-ssh-"))))
        stack.callback(ssh.process.stop)
        far = stack.enter_context(WeirWithTLS(
            tmp_path, server, {"ssh": (ssh.port, f", tls: {{ client_ca: {authority.certificate} }}")}))
        near = stack.enter_context(WeirWithTLS(
            tmp_path, server,
            {"ssh": (far.port, f", upstream_tls: {{ ca: {authority.certificate}, {device.yaml} }}")}))
        original, back = tmp_path / "original", tmp_path / "back"
        with original.open("wb") as file:
            for _ in range(SCP_BYTES >> 20):
                file.write(os.urandom(1 << 20))
        for source, target in ((str(original), ssh.remote("copy")), (ssh.remote("copy"), str(back))):
            transfer = ssh.scp(near.port, source, target)
            output, _ = transfer.communicate(timeout=SCP_SECONDS)
            assert transfer.returncode == 0, output
        assert digest(ssh.files / "copy") == digest(back) == digest(original)
        for weir in (near, far):
            wait_until("all connections have ended", weir.active, accept=lambda count: count == 0)
        assert near.handshakes(side="upstream", resumed="true") == far.handshakes(side="client", resumed="true") == 1
        assert far.page().total("weir_tls_truncated_total") == near.page().total("weir_tls_truncated_total") == 0
        for original_file in (original, back):
            original_file.unlink()


# testssl.sh


@pytest.mark.parametrize("key", [EC, ("rsa:2048",)], ids=["ecdsa", "rsa"])
def test_testssl_finds_nothing_of_weight_in_protocols_ciphers_and_known_holes(authority, tmp_path, key):
    server = authority.sign("scanned", f"DNS:{NAME}", "DNS:localhost", "IP:127.0.0.1", key=key)
    with ExitStack() as stack:
        handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
        web = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        stack.callback(web.shutdown)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        routes = {"scanned": (web.server_port, ", tls: true, handshake_timeout: 60s")}
        weir = stack.enter_context(WeirWithTLS(tmp_path, server, routes))
        found = tmp_path / "found.json"
        done = run(
            tool("testssl"), "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1",
            "--jsonfile", str(found), "-p", "-s", "-f", "-U", f"localhost:{weir.port}",
            env=os.environ | {"PATH": f"{TOOLS}:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL)
        findings = json.loads(found.read_text())
        assert findings, done.stdout + done.stderr
        by_name = {finding["id"]: finding for finding in findings}
        # It misses ciphers of GOST in the program that it calls.
        heavy = [finding for finding in findings
                 if finding["severity"] not in ("OK", "INFO", "LOW", "DEBUG") and finding["id"] != "engine_problem"]
        assert heavy == [], done.stdout
        # It has really looked.
        assert by_name["TLS1_3"]["severity"] == by_name["TLS1_2"]["severity"] == "OK"
        assert all(by_name[name]["finding"] == "not offered" for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"))
        assert all(by_name[name]["severity"] == "OK" for name in (
            "heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego", "secure_client_renego", "CRIME_TLS",
            "POODLE_SSL", "SWEET32", "FREAK", "DROWN", "LOGJAM", "LUCKY13", "RC4"))
        assert re.search("PFS|FS", " ".join(by_name))
