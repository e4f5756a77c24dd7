"""docker-compose.yml as it is shipped, brought up by docker-compose in a real engine, with the profile `labels`: what it says
of health, what Prometheus scrapes, a container that becomes a route by its labels, an alert that arrives, and the end.

The engine gets no image from a registry: those that the file names are made of Debian's packages of the same programs.
Takes minutes, and needs root: `scripts/test --full`.
"""

import json
import os
import re
import resource
import shutil
import socket
import struct
import threading

import pytest
import yaml

from machines import DEBIAN
from receivers import WebReceiver
from support import REPOSITORY, Process, free_port, http, query, wait_until, weir
from world import hurried

PARTS = "parts:local"
PACKAGES = "haproxy socat wget prometheus prometheus-alertmanager"
# A program that answers at Grafana's port with a page.
PAGE = (r"use IO::Socket::INET; $SIG{TERM} = sub { exit }; my $l = IO::Socket::INET->new(Listen => 9, LocalPort => 3000); "
        r"while (my $c = $l->accept) { <$c>; print $c \"HTTP/1.0 200 OK\r\n\r\nGrafana\"; close $c }")
OWN_FOLDER = "RUN mkdir -p {0} && chown 65534:65534 {0}\nUSER 65534\nVOLUME {0}\nWORKDIR {0}\n"
# By the names of the images that are pinned in the file.
STAND_INS = {
    "haproxy": 'CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]',
    "alpine/socat": 'ENTRYPOINT ["socat"]',
    "prom/prometheus": OWN_FOLDER.format("/prometheus") + (
        'ENTRYPOINT ["prometheus"]\nCMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]'),
    # Without a cluster: the addresses of this engine's networks are not private ones.
    "prom/alertmanager": OWN_FOLDER.format("/alertmanager") + (
        'ENTRYPOINT ["prometheus-alertmanager"]\nCMD ["--config.file=/etc/alertmanager/alertmanager.yml", '
        '"--storage.path=/alertmanager", "--cluster.listen-address="]'),
    "grafana/grafana": f'CMD ["perl", "-e", "{PAGE}"]',
}

pytestmark = pytest.mark.long


class Project:
    """The project in a folder of its own. It differs in the host's ports, in descriptors where this host has fewer, in the
    engine's socket, and where it waits: Prometheus and Alertmanager are thirty times faster.
    """

    name = "weir-tests"

    def __init__(self, engine, folder):
        self.engine, self.folder = engine, folder
        for part in ("Examples", "prometheus", "grafana"):
            shutil.copytree(REPOSITORY / part, folder / part)
        text = (REPOSITORY / "docker-compose.yml").read_text()
        assert text.count("{ soft: 65536, hard: 65536 }") == 2
        text = text.replace("65536", str(min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        self.ports = {int(port): free_port() for port in re.findall(r'"127\.0\.0\.1:(\d+):', text)}
        assert set(self.ports) == {8080, 8890, 10053, 7777, 9090, 9093, 3000}
        for usual, free in self.ports.items():
            text = text.replace(f"127.0.0.1:{usual}:", f"127.0.0.1:{free}:")
        assert text.count("/var/run/docker.sock:/") == 1
        text = text.replace("/var/run/docker.sock:/", f"{engine.address.removeprefix('unix://')}:/")
        (folder / "docker-compose.yml").write_text(text)
        # The agent needs certificates, which its test makes.
        self.services = {name: service for name, service in yaml.safe_load(text)["services"].items()
                         if set(service.get("profiles", [])) <= {"labels"}}
        self.prometheus = f"http://127.0.0.1:{self.ports[9090]}"
        self._hurry()

    def _hurry(self):
        rules = self.folder / "prometheus" / "rules"
        for file in rules.iterdir():
            file.write_text(hurried(file.read_text()))
        file = self.folder / "prometheus" / "prometheus.yml"
        text, changes = re.subn(r"(scrape_interval|scrape_timeout|evaluation_interval): 1[05]s", r"\1: 1s", file.read_text())
        assert changes == 3
        file.write_text(text)
        # As docs/containers.md says for this profile.
        file = self.folder / "prometheus" / "targets" / "compose" / "weir.yml"
        assert file.read_text().count('"demo:9847"') == 1
        file.write_text(file.read_text().replace('"demo:9847"', '"demo:9847", "labels:9847"'))

    def notify(self, receiver: WebReceiver):
        """Leads each receiver of Alertmanager's file to the one of the test."""
        file = self.folder / "prometheus" / "alertmanager.yml"
        text = re.sub(r"(group_wait|group_interval): \d+[sm]", r"\1: 1s", file.read_text())
        configuration = yaml.safe_load(text)
        for one in configuration["receivers"]:
            one["webhook_configs"] = [{"url": f"http://{receiver.address}:{receiver.port}/{one['name']}"}]
        file.write_text(yaml.safe_dump(configuration))

    def compose(self, *command: str, **options) -> str:
        return self.engine.compose(
            "--project-directory", str(self.folder), "--project-name", self.name, "--file",
            str(self.folder / "docker-compose.yml"), "--profile", "labels", *command, cwd=self.folder, **options)

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).strip()

    def state(self, service: str) -> dict:
        return self.engine.inspect(self.container(service))["State"]

    def network(self, name: str) -> dict:
        return self.engine.inspect(f"{self.name}_{name}")

    def await_healthy(self, *services: str):
        for service in services:
            wait_until(f"{service} is healthy", lambda service=service: self.state(service), 120,
                       lambda state: state.get("Health", {}).get("Status") == "healthy")

    def ask(self, what: str) -> dict:
        """Prometheus about itself."""
        status, body = http(f"{self.prometheus}/api/v1/{what}")
        assert status == 200, body
        return json.loads(body)["data"]

    def value(self, expression: str) -> float:
        return sum(float(series["value"][1]) for series in query(self.prometheus, expression))


@pytest.fixture(scope="module")
def project(engine, image, tmp_path_factory):
    """Everything runs, and is healthy."""
    folder = tmp_path_factory.mktemp("project")
    made = Project(engine, folder)
    build = tmp_path_factory.mktemp("build")
    engine.build(PARTS, build, f"FROM {DEBIAN}\nRUN apt-get update && apt-get install -y --no-install-recommends {PACKAGES}\n")
    for tag in {service["image"] for service in made.services.values()} - {image}:
        engine.build(tag, build, f"FROM {PARTS}\n{STAND_INS[tag.rpartition(':')[0]]}\n")
    receiver = None
    try:
        # The network is made with the first service, and the receiver is at its gateway.
        made.compose("up", "--detach", "--no-build", "weir")
        receiver = WebReceiver(made.network("default")["IPAM"]["Config"][0]["Gateway"])
        made.notify(receiver)
        made.receiver = receiver
        made.compose("up", "--detach", "--no-build", timeout=600)
        made.await_healthy(*made.services)
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "5")
        if receiver:
            receiver.stop()


def echo(port: int, data: bytes = b"through labels") -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(data)
            return client.makefile("rb").read(len(data)) == data
    except OSError:
        return False


def page(port: int) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.makefile("rb").read()
    except OSError:
        return b""


def query_address(port: int, name: str) -> str | None:
    """Asks a name server over UDP for the IPv4 address of a name (RFC 1035)."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", port))
        try:
            client.send(struct.pack(">6H", 77, 0x0100, 1, 0, 0, 0) + question)
            answer = client.recv(512)
        except OSError:
            return None
    number, _, _, answers = struct.unpack(">4H", answer[:8])
    assert number == 77
    return socket.inet_ntoa(answer[-4:]) if answers else None


def test_routes_of_the_file_are_served(engine, project):
    wait_until("Grafana's page comes through Weir", lambda: page(project.ports[8080]), 60,
               lambda found: found.endswith(b"Grafana"))
    demo = engine.inspect(project.container("demo"))["NetworkSettings"]["Networks"][f"{project.name}_default"]
    wait_until("the name server answers through Weir", lambda: query_address(project.ports[10053], "demo"), 60,
               lambda found: found == demo["IPAddress"])
    assert "reloaded" in project.compose("exec", "-T", "weir", "weir", "reload")
    # The exporter is for the network of the project, and not published.
    for name in ("weir", "demo", "labels"):
        assert engine.inspect(project.container(name))["NetworkSettings"]["Ports"]["9847/tcp"] is None


def test_prometheus_scrapes_and_has_the_rules_and_alertmanager(project):
    for target in ("weir", "demo", "labels"):
        wait_until(f"{target} is scraped", lambda target=target: project.value(f'up{{instance="{target}:9847"}}'), 60,
                   lambda found: found == 1)
    managers = project.ask("alertmanagers")["activeAlertmanagers"]
    assert [manager["url"] for manager in managers] == ["http://alertmanager:9093/api/v2/alerts"]
    rules = [rule for group in project.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 50 and all(rule["health"] == "ok" for rule in rules)


def test_services_can_write_nowhere_and_have_no_capability(engine, project):
    for name in project.services:
        settings = engine.inspect(project.container(name))
        assert settings["HostConfig"]["ReadonlyRootfs"] and settings["HostConfig"]["CapDrop"] == ["ALL"], name
        status = open(f"/proc/{settings['State']['Pid']}/status").read()
        assert re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\t(\w+)$", status, re.MULTILINE) == ["0" * 16] * 4, name
        assert "NoNewPrivs:\t1\n" in status, name


def test_a_labeled_container_that_starts_becomes_a_route_and_its_traffic_is_on_the_page(engine, project):
    port = project.ports[7777]
    wait_until("the service of the file is a route", lambda: echo(port), 30)
    project.compose("stop", "--timeout", "5", "echo")
    wait_until("its route is gone after the grace", lambda: project.value('weir_route_info{instance="labels:9847"}'), 60,
               lambda found: found == 0)
    socat = project.services["echo"]["image"]
    engine.docker("run", "--detach", "--name", "late", "--network", f"{project.name}_default", "--label",
                  "weir.late.port=7777:7", socat, "TCP4-LISTEN:7,fork,reuseaddr", "PIPE")
    # Labels open the ports of the file alone.
    engine.docker("run", "--detach", "--name", "wrong", "--network", f"{project.name}_default", "--label",
                  "weir.wrong.port=7778:7", socat, "TCP4-LISTEN:7,fork,reuseaddr", "PIPE")
    try:
        wait_until("the new container is a route", lambda: echo(port, b"x" * 100_000), 30)
        counted = 'weir_tcp_connections_accepted_total{instance="labels:9847",route="late"}'
        wait_until("its clients are counted", lambda: project.value(counted), 30)
        bytes_of = 'weir_bytes_total{instance="labels:9847",route="late"}'
        wait_until("its bytes are counted", lambda: project.value(bytes_of), 30, lambda found: found >= 200_000)
        wait_until("the other is refused", lambda: project.value(
            'weir_docker_containers{instance="labels:9847",state="error"}'), 30, lambda found: found == 1)
        assert "labels may not listen on 7778" in engine.docker("logs", project.container("labels"))
    finally:
        engine.docker("rm", "--force", "late", "wrong")
    project.compose("start", "echo")
    wait_until("the service of the file is a route again", lambda: echo(port), 60)


def test_the_proxy_of_the_socket_answers_what_weir_asks_and_nothing_else(engine, project):
    def ask(path: str, *options: str) -> str:
        """The status, as wget tells it."""
        done = engine.ask("run", "--rm", "--network", f"{project.name}_socket", PARTS, "wget", "-q", "-S", "-O", "/dev/null",
                          *options, f"http://socket-proxy:2375{path}")
        return re.search(r"HTTP/1\.1 (\d+)", done.stderr)[1]

    container = project.container("weir")
    assert ask("/version") == ask("/v1.40/containers/json?all=1") == ask(f"/v1.40/containers/{container}/json") == "200"
    assert ask("/v1.40/containers/create", "--post-data", "{}") == "403"
    for path in (f"/v1.40/containers/{container}/archive?path=/etc", f"/v1.40/containers/{container}/logs?stdout=1",
                 "/v1.40/images/json", "/info", "/v1.40/containers/json/../../images/json"):
        assert ask(path) == "403", path
    # Nothing but these two is in its network, which leads nowhere else.
    network = project.network("socket")
    assert network["Internal"] and set(network["Containers"]) == {
        project.container("socket-proxy"), project.container("labels")}


def test_the_alert_of_an_upstream_that_was_stopped_arrives(project):
    is_over = threading.Event()

    def keep_asking():
        while not is_over.is_set():
            page(project.ports[8080])
            is_over.wait(0.1)

    clients = threading.Thread(target=keep_asking)
    clients.start()
    try:
        project.compose("stop", "--timeout", "5", "grafana")
        alert = {"alertname": "WeirUpstreamUnreachable", "instance": "weir:9847", "route": "web"}

        def states() -> list[str]:
            """What was told of the alert; the demo has others."""
            return [one["status"] for path, message in project.receiver.received for one in message["alerts"]
                    if path == "/critical" and alert.items() <= one["labels"].items()]

        wait_until("the alert arrives", states, 180, lambda seen: "firing" in seen)
        project.compose("start", "grafana")
        wait_until("its end arrives", states, 180, lambda seen: "resolved" in seen)
    finally:
        is_over.set()
        clients.join()
    assert http(f"{project.prometheus}/-/healthy")[0] == 200


def test_the_agent_comes_up_by_the_steps_of_the_file_and_carries_a_tunnel(project, tmp_path):
    folder, owner = project.folder / "Examples" / "compose" / "agent", 1000
    os.chown(folder, owner, owner)
    # The engine of the tests has networks of its own.
    networks = project.network("default")["IPAM"]["Config"][0]["Subnet"]
    file = folder / "agent.yml"
    assert file.read_text().count("172.16.0.0/12") == 1
    file.write_text(file.read_text().replace("172.16.0.0/12", networks))
    project.compose("run", "--rm", "--no-deps", "--user", str(owner), "-v", f"{folder}:/out", "weir", "agent", "certificates",
                    "edge-1", "-d", "/out")
    key = (folder / "server.key").stat()
    assert (key.st_uid, key.st_mode & 0o777) == (owner, 0o600)
    (project.folder / ".env").write_text(f"WEIR_AGENT_USER={owner}\n")
    try:
        project.compose("--profile", "agent", "up", "--detach", "--no-build", "agent")
        project.await_healthy("agent")
        target = project.engine.inspect(project.container("prometheus"))
        address = target["NetworkSettings"]["Networks"][f"{project.name}_default"]["IPAddress"]
        port, exporter = free_port(), free_port()
        configuration = tmp_path / "weir.yml"
        configuration.write_text(
            f"exporter: {{ listen: '127.0.0.1:{exporter}' }}\n"
            f"agents: {{ edge-1: {{ address: '127.0.0.1:{project.ports[8890]}', bundle: '{folder}/edge-1.zip' }} }}\n"
            f"routes: {{ far: {{ scheme: tcp, agent: edge-1, host: {address}, port: '{port}:9090' }} }}\n")
        proxy = Process(tmp_path, weir(), "run", "--config", str(configuration))
        try:
            wait_until("the proxy is ready", lambda: proxy.check() or http(f"http://127.0.0.1:{exporter}/readyz")[0] == 200, 60)
            assert http(f"http://127.0.0.1:{port}/-/healthy")[0] == 200
        finally:
            proxy.stop()
    finally:
        project.compose("--profile", "agent", "rm", "--stop", "--force", "agent")


def test_stop_lets_clients_finish(engine, project):
    project.await_healthy("echo", "labels")
    port = project.ports[7777]
    wait_until("it is served", lambda: echo(port), 30)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"first")
        assert client.recv(5) == b"first"
        labels = project.container("labels")
        with engine.begin("stop", "--time", "100", labels) as stopping:
            wait_until("it drains", lambda: " draining " in engine.docker("logs", labels), 60)
            client.sendall(b"still served")
            assert client.makefile("rb").read(12) == b"still served"
            assert stopping.poll() is None, "it ended before its client"
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
            assert stopping.wait(90) == 0
    project.compose("stop", "--timeout", "40", timeout=600)
    for name in ("weir", "demo", "labels"):
        assert project.state(name)["ExitCode"] == 0, name
