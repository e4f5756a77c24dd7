"""Weir, HAProxy and nginx in front of the same servers, with settings that are as equal as their features allow: a
check every second, of which two in a row decide, two seconds for a dial, and another server where the first fails.
"""

import signal
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from support import TOOLS, Process, free_port, http, tool, wait_until, weir

FALL = 2
DIAL_SECONDS = 2


class Page:
    """The samples of one scrape."""

    def __init__(self, text: str):
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items())

    def by_upstream(self, name: str) -> dict[str, float]:
        upstreams = {sample.labels["upstream"] for sample in self.samples if sample.name == name}
        return {upstream: self.total(name, upstream=upstream) for upstream in upstreams}


class Weir:
    """Weir with one route `set`. `upstreams` is the list of YAML, `route` all further fields."""

    name = "Weir"

    def __init__(self, folder: Path, upstreams: list[str], scheme: str = "tcp4", route: str = ""):
        members = "".join(f"      - {upstream}\n" for upstream in upstreams)
        fields = "".join(f"    {line}\n" for line in route.strip().splitlines())
        self.port = free_port()
        self._start(
            folder, f"  set:\n    scheme: {scheme}\n    bind: 127.0.0.1\n    port: {self.port}\n{fields}"
            f"    upstreams:\n{members}")

    def _start(self, folder: Path, routes: str, head: str = ""):
        self.exporter = free_port()
        self.file = folder / f"weir-{self.port}.yml"
        self._configure(routes, head)
        self.process = Process(folder, weir(), "run", "--config", str(self.file))
        self._await_ready()

    def _configure(self, routes: str, head: str):
        self.file.write_text(
            f"workers: 2\nexporter: {{ listen: 127.0.0.1:{self.exporter} }}\n{head}routes:\n{routes}")

    def _await_ready(self):
        url = f"http://127.0.0.1:{self.exporter}/readyz"
        wait_until("Weir is ready", lambda: self.process.check() or http(url)[0] == 200, 60)

    def page(self) -> Page:
        status, text = http(f"http://127.0.0.1:{self.exporter}/metrics")
        assert status == 200, text
        return Page(text)

    def await_up(self, *upstreams: str) -> Page:
        """Waits until exactly these are in, after a first check of each."""

        def page() -> Page | None:
            now = self.page()
            states = now.by_upstream("weir_upstream_up")
            checks = now.by_upstream("weir_health_checks_total")
            up = {upstream for upstream, value in states.items() if value == 1}
            return now if all(checks[upstream] > 0 for upstream in states) and up == set(upstreams) else None

        return wait_until(f"{upstreams} are up, and no other", page, 90)

    def log(self) -> list[str]:
        return self.process.log.read_text().splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()


class WeirByName(Weir):
    """Weir with routes that share a port. `routes` has the upstream's port and the further fields of each, `head` the
    settings of the process.
    """

    def __init__(self, folder: Path, routes: dict[str, tuple[int, str]], head: str = ""):
        self.port = free_port()
        self._start(folder, self._text(routes), head)

    def _text(self, routes: dict[str, tuple[int, str]]) -> str:
        return "".join(
            f"  {name}: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: '{self.port}:{upstream}'{fields} }}\n"
            for name, (upstream, fields) in routes.items())

    def reload(self, routes: dict[str, tuple[int, str]], head: str = ""):
        def reloads() -> float:
            return self.page().total("weir_config_reloads_total", result="success")

        before = reloads()
        self._configure(self._text(routes), head)
        self.process.signal(signal.SIGHUP)
        wait_until("the reload is over", lambda: reloads() > before, 60)


class Peer:
    """Another proxy."""

    name = ""

    def __init__(self, folder: Path, servers: list[str], policy: str = "round_robin", is_udp: bool = False):
        self.port, self.servers, self.policy, self.is_udp = free_port(), servers, policy, is_udp
        self.folder = folder / f"{self.name}-{self.port}"
        self.folder.mkdir()
        file = self.folder / "configuration"
        file.write_text(self.configuration())
        self.process = Process(self.folder, *self.command(str(file)))
        self._await_listening()

    def _await_listening(self):
        wanted = f":{self.port:04X} "
        table = Path("/proc/net/udp" if self.is_udp else "/proc/net/tcp")
        wait_until(f"{self.name} listens", lambda: self.process.check() or wanted in table.read_text())

    def configuration(self) -> str:
        raise NotImplementedError

    def command(self, file: str) -> list[str]:
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()


class HAProxy(Peer):
    name = "HAProxy"

    def configuration(self) -> str:
        policy = {"round_robin": "roundrobin", "least_connections": "leastconn"}[self.policy]
        return (
            f"global\n    nbthread 2\ndefaults\n    mode tcp\n    timeout connect {DIAL_SECONDS}s\n"
            "    timeout client 10m\n    timeout server 10m\n    timeout check 4s\n    retries 3\n"
            f"    option redispatch 1\nlisten set\n    bind 127.0.0.1:{self.port}\n    balance {policy}\n"
            "    option pgsql-check user weir\n"
            f"    default-server check inter 1s fall {FALL} rise 2 on-marked-down shutdown-sessions\n"
            + "".join(f"    server s{number} {server}\n" for number, server in enumerate(self.servers)))

    def command(self, file: str) -> list[str]:
        return [tool("haproxy"), "-db", "-q", "-f", file]


class Nginx(Peer):
    """Without checks, which only its commercial edition has."""

    name = "nginx"

    def configuration(self) -> str:
        policy = {"round_robin": "", "least_connections": "least_conn; "}[self.policy]
        members = "".join(f"server {server} max_fails=5 fail_timeout=10s; " for server in self.servers)
        kind, answers = (" udp reuseport", "proxy_responses 1; proxy_timeout 2s; ") if self.is_udp else ("", "")
        return (
            f"load_module {_stream_module()};\ndaemon off; worker_processes 2; pid {self.folder}/pid;\n"
            "error_log stderr crit; events { worker_connections 1000; }\n"
            f"stream {{ upstream set {{ {policy}zone set 64k; {members}}}\n"
            f"server {{ listen 127.0.0.1:{self.port}{kind}; proxy_connect_timeout {DIAL_SECONDS}s; {answers}"
            "proxy_pass set; } }\n")

    def command(self, file: str) -> list[str]:
        return [tool("nginx"), "-p", str(self.folder), "-e", "stderr", "-c", file]


def _stream_module() -> str:
    name = "usr/lib/nginx/modules/ngx_stream_module.so"
    found = [root / name for root in (TOOLS.parent / "root", Path("/")) if (root / name).exists()]
    assert found, "nginx's stream module is missing: run scripts/setup-tools tests"
    return str(found[0])
