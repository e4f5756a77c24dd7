"""A demo, a Weir of our own to hurt, two Prometheus and an Alertmanager, all with the files that are shipped.

`shipped` runs prometheus/ as it is, but for its targets and a scrape every second. `hasty` runs a copy in which all
times are thirty times shorter, so that an alert can come and go while a test waits.
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path

import yaml

from receivers import HOST, WebReceiver
from support import PROMETHEUS, Process, free_port, free_ports, http, query, tool, wait_until, weir

HASTE = 30
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def hurried(text: str) -> str:
    """Rules whose windows and delays are shorter."""

    def shorter(match: re.Match) -> str:
        seconds = int(match[2]) * SECONDS[match[3]] / HASTE
        return f"{match[1]}{max(1, round(seconds))}s"

    return re.sub(r"(\[|offset |\bfor: |keep_firing_for: )(\d+)([smhd])", shorter, text)


class EchoServer:
    """An upstream that can go away and come back at the same port."""

    def __init__(self):
        self.port = free_port()
        self.listener = None
        self.start()

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        # Wakes the thread that waits in accept, which closing alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self, listener: socket.socket):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    @staticmethod
    def _echo(client: socket.socket):
        with client:
            try:
                while data := client.recv(65_536):
                    client.sendall(data)
            except OSError:
                return


def echo_datagrams(port: int):
    """The same for datagrams; it stays."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))

    def answer():
        while True:
            data, client = server.recvfrom(65_536)
            server.sendto(data, client)

    threading.Thread(target=answer, daemon=True).start()


class World:
    """Everything that runs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.demo_exporter, self.edge_exporter, self.edge_port = free_port(), free_port(), free_port()
        self.edge_datagrams, self.datagram_upstream = free_port(), free_port()
        self.upstream = EchoServer()
        # A route with two upstreams and a backup, which has clients all the time.
        self.set_port, self.names_port = free_port(), free_port()
        self.members = [EchoServer() for _ in range(3)]
        echo_datagrams(self.datagram_upstream)
        self.alertmanager = self._url(free_port())
        self.tls_port = free_port()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-keyout", str(folder / "edge.key"), "-out", str(folder / "edge.pem"), "-subj", "/CN=edge"],
            check=True, capture_output=True)
        self.configuration = folder / "weir.yml"
        self.configure()
        exporter, base_port = f"127.0.0.1:{self.demo_exporter}", str(free_ports(100))
        self.demo = Process(folder, weir(), "demo", "--exporter", exporter, "--base-port", base_port)
        self.edge = Process(folder, weir(), "run", "--config", str(self.configuration))
        for name, port in (("demo", self.demo_exporter), ("edge", self.edge_exporter)):
            wait_until(f"{name} is ready", lambda port=port: http(f"http://127.0.0.1:{port}/readyz")[0] == 200, 60)
        self.receiver = WebReceiver()
        self.manager = Process(
            folder, tool("prometheus-alertmanager"), f"--config.file={self._alertmanager_configuration()}",
            f"--storage.path={folder / 'alerts'}", "--cluster.listen-address=",
            f"--web.listen-address={self.alertmanager.removeprefix('http://')}")
        self.processes = [self.demo, self.edge, self.manager]
        self.shipped = self._prometheus("shipped", lambda text: text)
        self.hasty = self._prometheus("hasty", hurried)
        wait_until("Alertmanager is ready", lambda: http(f"{self.alertmanager}/-/ready")[0] == 200, 60)
        self.stop_clients = threading.Event()
        self.keep_conversing(self.set_port)

    @staticmethod
    def _url(port: int) -> str:
        return f"http://127.0.0.1:{port}"

    @property
    def edge_instance(self) -> str:
        return f"127.0.0.1:{self.edge_exporter}"

    def configure(self, extra: str = ""):
        # In one step: Weir watches the file, and a reload takes whatever it holds at that moment.
        beside = self.configuration.with_suffix(".new")
        beside.write_text(
            f"exporter: {{ listen: '127.0.0.1:{self.edge_exporter}' }}\n"
            "log: { level: error }\n"
            "tls: { certificates: { certificate: edge.pem, key: edge.key } }\n"
            f"routes:\n  edge: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, "
            f"port: '{self.edge_port}:{self.upstream.port}' }}\n"
            f"  datagrams: {{ scheme: udp4, bind: 127.0.0.1, host: 127.0.0.1, max_sessions: 1, idle_timeout: 2s, "
            f"port: '{self.edge_datagrams}:{self.datagram_upstream}' }}\n"
            f"  names: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, sni: a.weir.test, hello_timeout: 60s, "
            f"port: '{self.names_port}:{self.upstream.port}' }}\n"
            f"  secret: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, tls: true, "
            f"port: '{self.tls_port}:{self.upstream.port}' }}\n"
            f"  balanced: {{ scheme: tcp4, bind: 127.0.0.1, port: {self.set_port}, proxy_protocol: {{ mode: disabled }}, "
            "eject: { failures: 3, for: 5s, at_most: 5s }, upstreams: [ "
            + ", ".join(f"{{ host: 127.0.0.1, port: {member.port}{more} }}" for member, more in zip(
                self.members, ("", ", max_connections: 1000", ", backup: true"), strict=True)) + " ] }\n" + extra)
        os.replace(beside, self.configuration)

    def reload(self, extra: str = ""):
        self.configure(extra)
        self.edge.signal(signal.SIGHUP)

    def _prometheus(self, name: str, change) -> str:
        home = self.folder / name
        shutil.copytree(PROMETHEUS, home)
        configuration = (home / "prometheus.yml").read_text()
        assert configuration.count("15s") == 2 and configuration.count("10s") == 1
        url = self._url(free_port())
        # Another program with `up` and process metrics of its own, as in any Prometheus: this one itself.
        other = f"  - job_name: other\n    static_configs: [{{ targets: ['{url.removeprefix('http://')}'] }}]\n"
        configuration = configuration.replace("15s", "1s").replace("10s", "1s") + other
        (home / "prometheus.yml").write_text(configuration)
        for path in (home / "rules").glob("*.yml"):
            path.write_text(change(path.read_text()))
        targets = [f"127.0.0.1:{self.demo_exporter}", self.edge_instance]
        (home / "targets" / "weir.yml").write_text(json.dumps([{"targets": targets}]))
        manager = self.alertmanager.removeprefix("http://")
        # The alerts of the shipped rules would mix with those of the hurried ones.
        listed = [manager] if name == "hasty" else []
        (home / "targets" / "alertmanager.yml").write_text(json.dumps([{"targets": listed}]))
        self.processes.append(Process(
            self.folder, tool("prometheus"), f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}", f"--web.listen-address={url.removeprefix('http://')}",
            "--log.level=warn"))
        wait_until(f"{name} is ready", lambda: http(f"{url}/-/ready")[0] == 200, 60)
        wait_until(f"{name} sees its targets", lambda: query(url, "up == 1"), 60, lambda found: len(found) == 3)
        return url

    def _alertmanager_configuration(self) -> Path:
        """The shipped one, with shorter waits and a receiver for each severity where it has none."""
        text = re.sub(r"group_wait: \d+[sm]", "group_wait: 1s", (PROMETHEUS / "alertmanager.yml").read_text())
        configuration = yaml.safe_load(text.replace("group_interval: 5m", "group_interval: 2s"))
        for receiver in configuration["receivers"]:
            assert set(receiver) == {"name"}
            receiver["webhook_configs"] = [{"url": f"http://{HOST}:{self.receiver.port}/{receiver['name']}"}]
        path = self.folder / "alertmanager.yml"
        path.write_text(yaml.safe_dump(configuration))
        return path

    def converse(self, size: int = 1000, port: int | None = None) -> bool:
        """One connection through Weir, to the route `edge` unless a port is given; whether all came back."""
        sent = bytes(range(256)) * (size // 256 + 1)
        try:
            with socket.create_connection(("127.0.0.1", port or self.edge_port), timeout=10) as client:
                client.sendall(sent[:size])
                client.shutdown(socket.SHUT_WR)
                received = b""
                while data := client.recv(65_536):
                    received += data
        except OSError:
            return False
        return received == sent[:size]

    def leave_with_answers_unread(self):
        """A client that fills every buffer on the way, reads nothing and resets."""
        client = socket.create_connection(("127.0.0.1", self.edge_port), timeout=10)
        with client:
            # The buffers count as full once they take nothing for a second.
            client.settimeout(1)
            try:
                while True:
                    client.send(bytes(1024 * 1024))
            except TimeoutError:
                pass
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def crowd_the_session_table(self):
        """Creates one client with an assured session, and others that find the table full."""
        address = ("127.0.0.1", self.edge_datagrams)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
            first.settimeout(10)
            for _ in range(20):
                # Again each time, so that its session is never idle for long.
                for _ in range(2):
                    first.sendto(b"mine", address)
                    assert first.recv(100) == b"mine"
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                    other.sendto(b"no room", address)

    def speak_tls(self):
        """A client that speaks TLS and ends without close_notify, and one that does not."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.tls_port), timeout=10) as client:
            with context.wrap_socket(client) as secret:
                secret.sendall(b"hello")
                assert secret.recv(100) == b"hello"
                secret.shutdown(socket.SHUT_WR)
                secret.recv(100)
        with socket.create_connection(("127.0.0.1", self.tls_port), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while client.recv(100):
                pass

    def send_proxy_header(self):
        """The header that a trusted proxy sends in front of its client's bytes."""
        with socket.create_connection(("127.0.0.1", self.edge_port), timeout=10) as proxy:
            proxy.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\nhello")
            assert proxy.recv(100) == b"hello"

    def keep_conversing(self, port: int | None = None):
        """Clients that come again and again until `stop_clients`."""

        def repeat():
            while not self.stop_clients.wait(0.1):
                self.converse(port=port)

        threading.Thread(target=repeat, daemon=True).start()

    def alerts(self, name: str) -> list[dict]:
        """Alerts of this name about our own Weir in Alertmanager."""
        status, body = http(f"{self.alertmanager}/api/v2/alerts?filter=alertname={name}")
        assert status == 200, body
        return [alert for alert in json.loads(body) if alert["labels"]["instance"] == self.edge_instance]

    def state(self, name: str) -> str:
        """State of an alert about our own Weir in the hasty Prometheus."""
        found = query(self.hasty, f'ALERTS{{alertname="{name}", instance="{self.edge_instance}"}}')
        states = {series["metric"]["alertstate"] for series in found}
        return next((state for state in ("firing", "pending") if state in states), "inactive")

    def check(self):
        for process in self.processes:
            process.check()

    def stop(self):
        self.stop_clients.set()
        for process in reversed(self.processes):
            process.stop()
        self.receiver.stop()
