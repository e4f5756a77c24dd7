"""The three proxies under comparison. Each has two workers, no access log and otherwise the defaults of its project."""

import os
import resource
import time
import urllib.request

import processes
from accounting import precise_cpu_seconds, tree
from backends import Ports
from tools import Failure, locate, stream_module

WORKERS = 2
# Lets the previous load's last packets and timers pass before the clocks are read again.
SETTLE_SECONDS = 0.2


def connection_limit():
    """How many connections a proxy can hold: two descriptors each, and some for itself."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 6000 if hard == resource.RLIM_INFINITY else min(6000, (hard - 500) // 2)


class Proxy:
    """One proxy with its configuration. Every object has ports of its own, so several may run side by side."""

    key = title = ""
    carries_udp = True

    def __init__(self, directory, upstreams, label=""):
        self.directory = os.path.join(directory, self.key + label)
        os.makedirs(self.directory)
        self.upstreams = upstreams
        self.ports = Ports()
        self._child = None

    def start(self, wrapper=(), seconds=15.0):
        """Starts it, or starts it again when it died. `wrapper` is a program that runs it, such as valgrind."""
        if self._child is not None and self._child.is_running():
            return
        self.launch(wrapper)
        for port in self.listening_ports():
            self._child.wait_until(lambda: processes.is_listening(port), f"listening on {port}", seconds)

    def launch(self, wrapper=()):
        """Starts it, and does not wait until it listens."""
        configuration = os.path.join(self.directory, "configuration")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(self.configuration())
        self._child = processes.Child(self.key, [*wrapper, *self.command(configuration)], self.directory)

    def stop(self, seconds=5.0):
        if self._child is not None:
            self._child.stop(seconds)
            self._child = None

    def processes(self):
        """The ids of all its processes."""
        if self._child is None or not self._child.is_running():
            raise Failure(f"{self.title} is not running")
        return tree(self._child.pid)

    def measured(self, load):
        """Runs a load, and returns its rate and the processor time of the proxy for an operation. Starts a proxy that
        died under the one before."""
        self.start()
        time.sleep(SETTLE_SECONDS)
        before = precise_cpu_seconds(self.processes())
        outcome = load()
        cost = precise_cpu_seconds(self.processes()) - before
        return outcome.operations / outcome.seconds, cost / outcome.operations

    def listening_ports(self):
        return (self.ports.http, self.ports.iperf, self.ports.idle)

    def pairs(self):
        """Name, listening port and upstream port of the TCP routes."""
        return [
            (name, getattr(self.ports, name), getattr(self.upstreams, name)) for name in ("http", "iperf", "idle")
        ]

    def datagram_pairs(self):
        return [(name, getattr(self.ports, name), getattr(self.upstreams, name)) for name in ("iperf", "dns")]

    def configuration(self):
        raise NotImplementedError

    def command(self, configuration):
        raise NotImplementedError


class OwnListeners:
    """Put before a proxy: it has the listeners of a row of its own instead of the usual ones."""

    def pairs(self):
        return []

    def datagram_pairs(self):
        return []


class Nginx(Proxy):
    key, title = "nginx", "nginx"

    def configuration(self):
        server = "    server {{ listen 127.0.0.1:{1}{3}; proxy_pass 127.0.0.1:{2}; }}\n"
        servers = [server.format(*pair, " reuseport backlog=4096") for pair in self.pairs()]
        servers += [server.format(*pair, " udp reuseport") for pair in self.datagram_pairs()]
        return (
            f"load_module {stream_module()};\n"
            f"daemon off; worker_processes {WORKERS}; pid {self.directory}/pid; error_log stderr crit;\n"
            f"worker_rlimit_nofile {2 * connection_limit() + 400};\n"
            f"events {{ worker_connections {2 * connection_limit() + 200}; }}\n"
            "stream {\n    access_log off;\n" + "".join(servers) + "}\n"
        )

    def command(self, configuration):
        return [locate("nginx"), "-p", self.directory, "-e", "stderr", "-c", configuration]


class HAProxy(Proxy):
    key, title, carries_udp = "haproxy", "HAProxy", False
    options = ""

    def configuration(self):
        listeners = [
            f"listen {name}\n    bind 127.0.0.1:{port} backlog 4096\n    server upstream 127.0.0.1:{upstream}\n"
            for name, port, upstream in self.pairs()
        ]
        return self.head() + "".join(listeners)

    def head(self):
        return (
            f"global\n    nbthread {WORKERS}\n    maxconn {connection_limit()}\n"
            f"defaults\n    mode tcp\n    maxconn {connection_limit()}\n{self.options}"
            "    timeout connect 5s\n    timeout client 10m\n    timeout server 10m\n"
        )

    def command(self, configuration):
        return [locate("haproxy"), "-db", "-q", "-f", configuration]


class HAProxySplice(HAProxy):
    """HAProxy as an operator with bulk traffic would set it up; not its default."""

    key, title = "haproxy-splice", "HAProxy with splice-auto"
    options = "    option splice-auto\n"


class Weir(Proxy):
    """With its metrics on, as it always runs."""

    key, title = "weir", "Weir"
    program = None

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.exporter_port = processes.free_port()

    def start(self, wrapper=(), seconds=15.0):
        super().start(wrapper, seconds)
        self.wait_until_ready(seconds)

    def wait_until_ready(self, seconds=15.0):
        """It listens before it serves: only /readyz says that every route is there."""
        self._child.wait_until(self._is_ready, "ready", seconds)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.exporter_port}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def configuration(self):
        routes = [self.route(f"{name}-tcp", "tcp4", *ports) for name, *ports in self.pairs()]
        routes += [self.route(f"{name}-udp", "udp4", *ports) for name, *ports in self.datagram_pairs()]
        return self.head() + "".join(routes)

    def head(self):
        return (
            f"workers: {WORKERS}\nlog: {{ level: error }}\nexporter: {{ listen: 127.0.0.1:{self.exporter_port} }}\n"
            "shutdown: { drain_timeout: 1s }\nroutes:\n"
        )

    @staticmethod
    def route(name, scheme, port, upstream):
        return f'  {name}: {{ scheme: {scheme}, bind: 127.0.0.1, host: 127.0.0.1, port: "{port}:{upstream}" }}\n'

    def command(self, configuration):
        if self.program is None:
            raise Failure("there is no Weir to run: give --weir PROGRAM")
        return [self.program, "run", "--config", configuration]

    def listening_ports(self):
        return (*super().listening_ports(), self.exporter_port)


class WeirBefore(Weir):
    """Another build of Weir, as a rule an older one: a second column, in the same rounds."""

    key, title = "before", "Weir before"
    program = None


ALL = {kind.key: kind for kind in (Nginx, HAProxy, HAProxySplice, WeirBefore, Weir)}
USUAL = ("nginx", "haproxy", "weir")
