"""An agent and foreign clients of it: the protocols of tunnels, certificates, its pages."""

import base64
import json
import os
import signal
import socket
import ssl
import threading
import zipfile

import pytest

from own_agent import NAME, Agent, Server, echo
from support import Process, free_port, run, wait_until, weir
from tunnels import CLIENT, HTTP, PLAIN, PROBE, WEIR, HalfTunnel, Tunnel, context, header, request


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    with Agent(tmp_path_factory.mktemp("agent")) as made:
        yield made


# MARK: Tunnels


def test_a_tunnel_of_either_protocol(agent):
    with agent.counts("ok"), agent.tunnel() as tunnel:
        assert tunnel.socket.selected_alpn_protocol() == WEIR
        tunnel.send(request("127.0.0.1", agent.echo_port))
        assert tunnel.status() == "ok"
        tunnel.send(b"hello")
        assert tunnel.receive(5) == b"hello"
    with agent.counts("ok"), agent.tunnel(PLAIN) as tunnel:
        tunnel.send(header("127.0.0.1", agent.echo_port) + b"hello")
        assert tunnel.receive(5) == b"hello"


def test_a_probe_is_answered(agent):
    with agent.counts("probe"), agent.tunnel() as tunnel:
        tunnel.send(request("", "", flags=PROBE))
        assert tunnel.status() == "ok" and tunnel.is_ended()
    with agent.counts("probe"), agent.tunnel(PLAIN) as tunnel:
        tunnel.send(header("", "", flags=PROBE))
        assert tunnel.is_ended()


def test_an_end_of_either_direction_leaves_the_other_open(agent):
    with HalfTunnel(agent.port, context(agent.folder)) as tunnel:
        tunnel.send(request("127.0.0.1", agent.echo_port) + b"early")
        assert tunnel.status() == "ok"
        tunnel.finish()
        assert tunnel.receive(100) == b"earlyend"

    def first(connection):
        connection.sendall(b"greeting")
        connection.shutdown(socket.SHUT_WR)
        taken.append(connection.recv(100))

    taken = []
    agent.other.serve, agent.echo.serve = echo, first
    try:
        with agent.tunnel() as tunnel:
            tunnel.send(request("127.0.0.1", agent.echo_port))
            assert tunnel.status() == "ok"
            assert tunnel.receive(8) == b"greeting" and tunnel.is_ended()
            tunnel.send(b"still heard")
            wait_until("the server has heard it", lambda: taken == [b"still heard"])
    finally:
        agent.echo.serve = echo


def test_a_byte_a_segment(agent):
    with agent.tunnel() as tunnel:
        tunnel.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request("localhost", agent.echo_port, client=(("192.0.2.7", 4711), ("192.0.2.1", 22))) + b"x":
            tunnel.send(bytes([byte]))
        assert tunnel.status() == "ok" and tunnel.receive(1) == b"x"


def test_twenty_five_clients_at_once_beside_the_pages(agent):
    faults = []

    def client(number: int):
        try:
            with agent.tunnel(PLAIN if number % 2 else WEIR) as tunnel:
                begin = header if number % 2 else request
                message = bytes([number]) * 8_000
                tunnel.send(begin("127.0.0.1", agent.echo_port))
                if number % 2 == 0:
                    assert tunnel.status() == "ok"
                for _ in range(20):
                    tunnel.send(message)
                    assert tunnel.receive(len(message)) == message
        except (AssertionError, OSError) as error:
            faults.append((number, error))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(25)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert agent.ask("/godoxy/agent/info")[0] == 200
    for thread in threads:
        thread.join()
    assert faults == []


def test_the_dial_reports_its_reason_and_keeps_to_the_time_of_the_client(agent):
    with agent.tunnel() as tunnel:
        tunnel.send(request("no-such-name.invalid", agent.echo_port))
        # Without a name server the lookup may take longer than the agent waits.
        assert tunnel.status() in ("dns", "timeout") and tunnel.is_ended()
    agent.echo.__exit__()
    try:
        with agent.counts("dial_failed"), agent.tunnel() as tunnel:
            tunnel.send(request("127.0.0.1", agent.echo_port, milliseconds=500))
            assert tunnel.status() == "refused" and tunnel.is_ended()
        with agent.tunnel(PLAIN) as tunnel:
            tunnel.send(header("127.0.0.1", agent.echo_port))
            assert tunnel.is_ended()
    finally:
        agent.echo = Server(agent.echo_port, echo)


# MARK: Requests that cannot be used


@pytest.mark.parametrize(("message", "status"), [
    (header("127.0.0.1", 22, version=b"0.2.0"), "version"),
    (header("127.0.0.1", 22, damage=1), "checksum"),
    (header("127.0.0.1", "ssh") + bytes(4), "malformed"),
    (header("unix:/run/docker.sock", 1) + bytes(4), "malformed"),
    (header("127.0.0.1", 22, flags=4) + bytes(4), "malformed"),
    (header("127.0.0.1", 22, flags=CLIENT) + bytes(4) + b"PROXY UNKNOWN\r\n", "malformed"),
])
def test_a_request_with_a_fault(agent, message, status):
    with agent.counts(status), agent.tunnel() as tunnel:
        tunnel.send(message)
        assert tunnel.status() == status and tunnel.is_ended()


def test_a_request_that_ends_early(agent):
    with agent.counts("malformed"), HalfTunnel(agent.port, context(agent.folder)) as tunnel:
        tunnel.send(header("127.0.0.1", 22)[:100])
        tunnel.finish()
        assert tunnel.status() == "malformed"
    before = agent.value(f'weir_tcp_connections_rejected_total{{route="{NAME}",reason="probe"}}')
    with agent.tunnel():
        pass
    wait_until("a client without a request is no fault", lambda: agent.value(
        f'weir_tcp_connections_rejected_total{{route="{NAME}",reason="probe"}}') == before + 1)


def test_a_request_that_is_late(tmp_path):
    with Agent(tmp_path, ", handshake_timeout: 300ms") as agent:
        with agent.counts("timeout"), agent.tunnel() as tunnel:
            tunnel.send(header("127.0.0.1", 22)[:100])
            with pytest.raises((ssl.SSLError, ConnectionError)):
                assert tunnel.receive(4) == b""
                raise ConnectionError("ended without a status")


def test_the_client_that_a_request_names_is_judged_too(tmp_path):
    with Agent(tmp_path, ", acl: { deny: ['cidr:198.51.100.0/24'] }") as agent:
        for address, status in (("198.51.100.7", "denied"), ("192.0.2.7", "ok")):
            with agent.tunnel() as tunnel:
                tunnel.send(request("127.0.0.1", agent.echo_port, client=((address, 4711), ("192.0.2.1", 22))))
                assert tunnel.status() == status
        wait_until("the log names it", lambda: "client=192.0.2.7:4711" in agent.process.log.read_text())
        assert agent.echo.count == 1


def test_the_names_of_a_certificate_count_for_the_client_that_a_request_names(tmp_path):
    with Agent(tmp_path, ", acl: { allow: ['name:proxy.example.net'], default: deny }") as agent:
        certificate(tmp_path, "named", alternative="DNS:proxy.example.net")
        # The peer itself passes, because it is on this machine.
        for name, status in (("named", "ok"), ("client", "denied")):
            with agent.tunnel(name=name) as tunnel:
                tunnel.send(request("127.0.0.1", agent.echo_port, client=(("192.0.2.7", 4711), ("192.0.2.1", 22))))
                assert tunnel.status() == status, name
        assert agent.echo.count == 1


# MARK: Certificates


def certificate(folder, name: str, *, authority: str = "ca", days: int = 2, alternative: str | None = None):
    """Makes a client's certificate with openssl(1), perhaps with an alternative name."""
    names = ["-addext", f"subjectAltName={alternative}"] if alternative else []
    made = run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *names,
               "-subj", f"/CN={name}", "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.csr"))
    assert made.returncode == 0, made.stderr
    made = run("openssl", "x509", "-req", "-in", str(folder / f"{name}.csr"), "-CA", str(folder / f"{authority}.pem"),
               "-CAkey", str(folder / f"{authority}.key"), "-days", str(days), "-copy_extensions", "copy",
               "-out", str(folder / f"{name}.pem"))
    assert made.returncode == 0, made.stderr


def is_refused(agent, **options) -> bool:
    """Whether the agent refuses a client, at the latest when it reads: TLS 1.3 tells of a bad certificate only then."""
    try:
        with agent.tunnel(**options) as tunnel:
            tunnel.send(request("", "", flags=PROBE))
            return tunnel.receive(4) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_clients_need_a_certificate_of_the_authority_that_has_not_ended(agent):
    folder = agent.folder
    made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-days", "2", "-subj", "/CN=other", "-keyout", str(folder / "other-ca.key"), "-out",
               str(folder / "other-ca.pem"))
    assert made.returncode == 0, made.stderr
    certificate(folder, "stranger", authority="other-ca")
    certificate(folder, "late", days=-1)
    certificate(folder, "plain")
    for name, reason in (("stranger", "unknown_ca"), ("late", "expired"), (None, "no_certificate")):
        before = agent.failures(reason)
        assert is_refused(agent, name=name), name
        wait_until(f"{reason} is counted", lambda: agent.failures(reason) == before + 1)
    # One without a role, as other programs make them.
    assert not is_refused(agent, name="plain")


def test_the_client_verifies_the_one_name_whatever_it_dials(agent):
    with pytest.raises(ssl.SSLCertVerificationError):
        Tunnel(agent.port, context(agent.folder), name="other.example.net")
    with Tunnel(agent.port, context(agent.folder), name=NAME) as tunnel:
        tunnel.send(request("", "", flags=PROBE))
        assert tunnel.status() == "ok"


def test_unknown_protocols_are_refused_with_an_alert(agent):
    with pytest.raises(ssl.SSLError) as refusal:
        agent.tunnel("h2")
    assert "NO_APPLICATION_PROTOCOL" in str(refusal.value).upper().replace(" ", "_")


def test_further_clients_and_scrapers_of_one_authority(agent):
    folder = str(agent.folder)
    for options in (["--client", "second"], ["--scraper", "--client", "prometheus"]):
        made = run(weir(), "agent", "certificates", NAME, "--directory", folder, *options)
        assert made.returncode == 0, made.stderr
    assert not is_refused(agent, name="second")
    for path in ("/metrics", "/healthz"):
        assert agent.ask(path, "prometheus")[0] == 200, path
    for path in ("/readyz", "/", "/api/v1/status", "/godoxy/agent/info", "/godoxy/agent/health?scheme=tcp", "/version"):
        assert agent.ask(path, "prometheus") == (404, "404 Not Found\n"), path
    for path in ("/readyz", "/", "/api/v1/status", "/godoxy/agent/version", "/version"):
        assert agent.ask(path)[0] == 200, path
    with agent.counts("denied"), agent.tunnel(name="prometheus") as tunnel:
        tunnel.send(request("127.0.0.1", agent.echo_port))
        assert tunnel.status() == "denied"


def test_certificates_are_made_once_and_fit_other_programs(agent, tmp_path):
    again = run(weir(), "agent", "certificates", NAME, "--directory", str(agent.folder))
    assert again.returncode == 1 and "is there already" in again.stderr
    with zipfile.ZipFile(agent.folder / f"{NAME}.zip") as bundle:
        assert bundle.testzip() is None
        assert bundle.namelist() == ["ca.pem", "cert.pem", "key.pem"]
        for inside, file in (("ca.pem", "ca.pem"), ("cert.pem", "client.pem"), ("key.pem", "client.key")):
            assert bundle.read(inside) == (agent.folder / file).read_bytes()
    for name, purpose in (("server", "sslserver"), ("client", "sslclient")):
        done = run("openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", str(agent.folder / "ca.pem"),
                   str(agent.folder / f"{name}.pem"))
        assert done.returncode == 0, done.stdout + done.stderr
    for name in ("ca", "server", "client"):
        assert (agent.folder / f"{name}.key").stat().st_mode & 0o777 == 0o600
        assert (agent.folder / f"{name}.pem").stat().st_mode & 0o777 == 0o644
    for options in (["--days", "826"], ["--days", "0"]):
        assert run(weir(), "agent", "certificates", NAME, "-d", str(tmp_path / "new"), *options).returncode == 1
    assert run(weir(), "agent", "certificates", "../x", "-d", str(tmp_path / "new")).returncode == 1


def test_pins_revoke_at_a_reload(tmp_path):
    with Agent(tmp_path) as agent:
        made = run(weir(), "agent", "certificates", NAME, "-d", str(tmp_path), "--client", "second")
        assert made.returncode == 0, made.stderr
        pin = made.stdout.split("SHA-256 ")[1].split()[0]
        assert not is_refused(agent, name="client") and not is_refused(agent, name="second")
        agent.write(f", clients: [{pin}]")
        assert run(weir(), "reload", "--config", str(tmp_path / "agent.yml")).returncode == 0
        assert is_refused(agent, name="client") and not is_refused(agent, name="second")
        # A session that was made before must not open what the certificate does not.
        settings = context(tmp_path)
        with Tunnel(agent.port, context(tmp_path, "second")) as tunnel:
            tunnel.send(request("127.0.0.1", agent.echo_port))
            assert tunnel.status() == "ok"
        agent.write()
        assert run(weir(), "reload", "--config", str(tmp_path / "agent.yml")).returncode == 0
        with Tunnel(agent.port, settings) as tunnel:
            tunnel.send(request("127.0.0.1", agent.echo_port) + b"x")
            assert tunnel.status() == "ok" and tunnel.receive(1) == b"x"
            session = tunnel.socket.session
        agent.write(f", clients: [{pin}]")
        assert run(weir(), "reload", "--config", str(tmp_path / "agent.yml")).returncode == 0
        plain = socket.create_connection(("127.0.0.1", agent.port), timeout=20)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with settings.wrap_socket(plain, server_hostname="godoxy.agent", session=session) as resumed:
                resumed.sendall(request("", "", flags=PROBE))
                assert resumed.recv(4) == b""
                raise ConnectionError("ended without a status")


def test_a_certificate_has_a_bound_of_its_own(tmp_path):
    with Agent(tmp_path, ", limits: { max_connections_per_certificate: 2 }") as agent:
        with agent.tunnel() as first, agent.tunnel() as second:
            for tunnel in (first, second):
                tunnel.send(request("127.0.0.1", agent.echo_port))
                assert tunnel.status() == "ok"
            with agent.counts("limit"), agent.tunnel() as third:
                assert third.status() == "limit"
        wait_until("there is room again", lambda: not is_refused(agent))


# MARK: Pages


def test_pages(agent):
    for alpn in (HTTP, None):
        status, body = agent.ask("/godoxy/agent/info", alpn=alpn)
        assert status == 200
        found = json.loads(body)
        assert found["name"] == NAME and found["runtime"] == "docker" and found["version"].startswith("v")
    assert agent.ask("/godoxy/agent/name") == (200, NAME)
    assert agent.ask("/_ping") == (200, "OK")
    assert agent.ask("/v1.41/containers/json") == (200, "[]\n")
    assert agent.ask("/containers/1/exec")[0] == 404
    assert "weir_tunnel_requests_total" in agent.ask("/metrics")[1]
    with agent.tunnel(HTTP) as tunnel:
        tunnel.send(b"GET /events HTTP/1.1\r\nHost: godoxy.agent\r\n\r\n")
        assert tunnel.receive(15) == b"HTTP/1.1 200 OK"


# MARK: The end


def test_nothing_is_left_of_all_that(agent):
    agent.assert_nothing_left()


def test_tunnels_drain(tmp_path):
    with Agent(tmp_path) as agent:
        with agent.tunnel() as tunnel:
            tunnel.send(request("127.0.0.1", agent.echo_port))
            assert tunnel.status() == "ok"
            agent.process.signal(signal.SIGTERM)
            wait_until("nothing new is taken", lambda: is_refused(agent))
            tunnel.send(b"still")
            assert tunnel.receive(5) == b"still"
        wait_until("it has ended", lambda: agent.process.process.poll() == 0)


def test_the_environment_of_other_agents(tmp_path):
    made = run(weir(), "agent", "certificates", NAME, "-d", str(tmp_path))
    assert made.returncode == 0, made.stderr
    port = free_port()

    def pair(name: str) -> str:
        return ";".join(base64.b64encode((tmp_path / f"{name}.{end}").read_bytes()).decode() for end in ("pem", "key"))

    environment = os.environ | {
        "AGENT_NAME": "from-outside", "GODOXY_AGENT_PORT": str(port), "AGENT_CA_CERT": pair("ca"),
        "AGENT_SSL_CERT": pair("server")}
    path = tmp_path / "agent.yml"
    path.write_text(f"exporter: {{ listen: 127.0.0.1:{free_port()} }}\nagent: {{ allow: ['tcp:127.0.0.1:22'] }}\n")
    checked = run(weir(), "check", "--config", str(path), env=environment)
    assert checked.returncode == 0 and "private key of the authority" in checked.stderr, checked
    with Process(tmp_path, weir(), "agent", "--config", str(path), environment=environment) as process:
        def answer():
            process.check()
            try:
                with Tunnel(port, context(tmp_path)) as tunnel:
                    tunnel.send(request("", "", flags=PROBE))
                    return tunnel.status()
            except OSError:
                return None

        wait_until("the agent answers", answer, 60)


def test_faults_of_a_configuration(tmp_path):
    made = run(weir(), "agent", "certificates", NAME, "-d", str(tmp_path))
    assert made.returncode == 0, made.stderr
    good = {"name": NAME, "ca": "ca.pem", "certificate": "server.pem", "key": "server.key",
            "allow": "['tcp:127.0.0.1:22']"}

    def check(**changes) -> str:
        values = {key: value for key, value in (good | changes).items() if value is not None}
        text = ", ".join(f"{key}: {value}" for key, value in values.items())
        (tmp_path / "agent.yml").write_text(f"agent: {{ {text} }}\n")
        done = run(weir(), "check", "--config", str(tmp_path / "agent.yml"))
        return "" if done.returncode == 0 else done.stderr

    assert check() == ""
    assert "`allow`" in check(allow=None)
    assert "brackets" in check(allow="['tcp:2001:db8::1:22']")
    assert "port" in check(allow="['tcp:127.0.0.1']")
    assert "names are judged" in check(allow="['tcp:db:22']")
    assert "godoxy.agent" in check(certificate="client.pem", key="client.key")
    assert "not that of the certificate" in check(key="client.key")
    assert "ca" in check(ca="missing.pem")
    assert "expected 1 to 1000" in check(clients="[]")
    certificate(tmp_path, "late", days=-1)
    assert "has ended" in check(certificate="late.pem", key="late.key")
    made = run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=rsa", "-addext",
               "subjectAltName=DNS:godoxy.agent", "-keyout", str(tmp_path / "rsa.key"),
               "-out", str(tmp_path / "rsa.pem"))
    assert made.returncode == 0, made.stderr
    assert "ECDSA" in check(certificate="rsa.pem", key="rsa.key")
    both = (tmp_path / "server.pem").read_text() + (tmp_path / "ca.pem").read_text()
    (tmp_path / "chain.pem").write_text(both)
    assert "fit a datagram" in check(certificate="chain.pem")
