"""psql through routes that end the TLS of PostgreSQL's clients, to real servers with TLS and without."""

from contextlib import ExitStack

import pytest

from databases import USER, Server, Template
from support import Process, free_port, free_ports, http, run, tool, wait_until, weir
from test_names import with_certificate

pytestmark = pytest.mark.long

NAME = "orders.weir.test"


@pytest.fixture(scope="module")
def template():
    made = Template()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def proxy(template, tmp_path_factory):
    """A route to a server without TLS, and one to a server with it."""
    folder = tmp_path_factory.mktemp("tls")
    made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", "/CN=weir", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", str(folder / "weir.key"),
               "-out", str(folder / "weir.pem"))
    assert made.returncode == 0, made.stderr
    first = free_ports(2)
    with ExitStack() as stack:
        plain = stack.enter_context(Server(template, "plain", "127.0.0.1", first))
        secure = stack.enter_context(
            Server(template, "secure", "127.0.0.1", first + 1, settings=with_certificate(template, "db.weir.test")))
        ports, exporter = [free_port() for _ in range(2)], free_port()
        common = "scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, starttls: postgres, tls: true"
        authority = template.folder / "db.weir.test.pem"
        (folder / "weir.yml").write_text(
            f"exporter: {{ listen: 127.0.0.1:{exporter} }}\n"
            "tls: { certificates: { certificate: weir.pem, key: weir.key } }\n"
            "routes:\n"
            f"  plain: {{ {common}, port: '{ports[0]}:{plain.port}' }}\n"
            f"  secure: {{ {common}, port: '{ports[1]}:{secure.port}', "
            f"upstream_tls: {{ ca: {authority}, server_name: db.weir.test }} }}\n")
        process = Process(folder, weir(), "run", "--config", str(folder / "weir.yml"))
        url = f"http://127.0.0.1:{exporter}/readyz"
        wait_until("Weir is ready", lambda: process.check() or http(url)[0] == 200, 60)
        yield ports, folder / "weir.pem", (plain, secure), exporter
        process.stop()


def psql(port: int, *options: str):
    """The port of the server that answers, and whether its session is encrypted; or what psql complains of."""
    words = " ".join((f"host={NAME} hostaddr=127.0.0.1 port={port} user={USER} dbname={USER}", *options))
    question = "SELECT current_setting('port'), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    done = run(tool("psql"), words, "--tuples-only", "--no-align", "--field-separator= ", "--command", question)
    return done.stdout.split() if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("index", [0, 1])
def test_the_clients_tls_ends_here_and_the_server_gets_what_its_route_says(proxy, index):
    ports, certificate, servers, _ = proxy
    found = psql(ports[index], "sslmode=verify-full", f"sslrootcert={certificate}")
    assert found == [str(servers[index].port), "ft"[index]]


def test_a_client_without_tls_is_refused(proxy):
    ports, _, _, exporter = proxy
    assert isinstance(psql(ports[0], "sslmode=disable"), str)
    page = http(f"http://127.0.0.1:{exporter}/metrics")[1]
    assert 'weir_tls_handshake_failures_total{route="plain",protocol="tcp",side="client",reason="protocol"} 1' in page
