"""Real PostgreSQL servers behind one port, which psql reaches by the name that it asks for."""

import os
import shutil
from contextlib import ExitStack

import pytest

from databases import UNPRIVILEGED, USER, Server, Template
from support import Process, free_port, free_ports, http, run, tool, wait_until, weir

pytestmark = pytest.mark.long

NAMES = ("orders.weir.test", "stock.weir.test")


@pytest.fixture(scope="module")
def template():
    made = Template()
    yield made
    made.remove()


def with_certificate(template: Template, name: str) -> tuple:
    """Settings of a server that has a certificate for this name; the certificate stands beside its files."""
    key, certificate = (template.folder / f"{name}.{end}" for end in ("key", "pem"))
    made = run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
               "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate))
    assert made.returncode == 0, made.stderr
    key.chmod(0o600)
    if os.geteuid() == 0:
        for file in (key, certificate):
            shutil.chown(file, UNPRIVILEGED, UNPRIVILEGED)
    return "ssl=on", f"ssl_cert_file={certificate}", f"ssl_key_file={key}"


@pytest.fixture(scope="module")
def servers(template):
    """Two with names, one that takes the rest, and one without TLS."""
    first = free_ports(4)
    with ExitStack() as stack:
        yield [
            stack.enter_context(Server(template, f"server-{number}", "127.0.0.1", first + number, settings=settings))
            for number, settings in enumerate((*(with_certificate(template, name) for name in (*NAMES, "rest")), ()))]


class Weir:
    """Weir with a route for each name, and one for the rest."""

    def __init__(self, folder, servers):
        self.port, self.exporter = free_port(), free_port()
        file = folder / "weir.yml"
        routes = "".join(
            f"  route-{number}: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, starttls: postgres, "
            f"port: '{self.port}:{server.port}'{claim} }}\n"
            for number, (server, claim) in enumerate(zip(
                servers, (*(f", sni: {name}" for name in NAMES), "", ", sni: plain.weir.test"), strict=True)))
        file.write_text(f"workers: 2\nexporter: {{ listen: 127.0.0.1:{self.exporter} }}\nroutes:\n{routes}")
        self.process = Process(folder, weir(), "run", "--config", str(file))
        url = f"http://127.0.0.1:{self.exporter}/readyz"
        wait_until("Weir is ready", lambda: self.process.check() or http(url)[0] == 200, 60)

    def page(self) -> str:
        return http(f"http://127.0.0.1:{self.exporter}/metrics")[1]


@pytest.fixture(scope="module")
def proxy(servers, tmp_path_factory):
    made = Weir(tmp_path_factory.mktemp("names"), servers)
    yield made
    made.process.stop()


def psql(proxy, host: str, *options: str):
    """The port of the server that answers, and whether the session is encrypted; or what psql complains of."""
    words = " ".join((f"host={host} hostaddr=127.0.0.1 port={proxy.port} user={USER} dbname={USER}", *options))
    question = ("SELECT current_setting('port'), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    done = run(tool("psql"), words, "--tuples-only", "--no-align", "--field-separator= ", "--command", question)
    return done.stdout.split() if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("mode", ["require", "prefer", "allow"])
@pytest.mark.parametrize("index", [0, 1])
def test_each_name_reaches_its_server(proxy, servers, mode, index):
    found = psql(proxy, NAMES[index], f"sslmode={mode}")
    # `allow` tries without encryption first, and so without a name.
    assert found == ([str(servers[2].port), "f"] if mode == "allow" else [str(servers[index].port), "t"])


def test_the_certificate_is_the_servers(proxy, servers, template):
    trusted = f"sslrootcert={template.folder / NAMES[0]}.pem"
    assert psql(proxy, NAMES[0], "sslmode=verify-full", trusted) == [str(servers[0].port), "t"]
    assert "certificate verify failed" in psql(proxy, NAMES[1], "sslmode=verify-full", trusted)


def test_a_name_that_no_route_has_and_clients_without_tls_go_to_the_rest(proxy, servers):
    rest = str(servers[2].port)
    assert psql(proxy, "other.weir.test", "sslmode=require") == [rest, "t"]
    assert psql(proxy, NAMES[0], "sslmode=disable") == [rest, "f"]


def test_a_server_without_tls_fails_the_dial_of_a_client_that_asked_for_it(proxy):
    found = psql(proxy, "plain.weir.test", "sslmode=require")
    assert isinstance(found, str) and found, found
    line = 'weir_dial_failures_total{route="route-3",protocol="tcp",upstream="127.0.0.1:'
    wait_until("the failure is counted", lambda: [
        text for text in proxy.page().splitlines()
        if text.startswith(line) and 'reason="tls"' in text and not text.endswith(" 0")])
