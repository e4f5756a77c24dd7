"""What a choice by the name of a TLS hello costs beside a plain route: the same clients, bytes and server for both."""

import os
import socket

import loads
import processes
import tracing
from proxies import HAProxy, Nginx, OwnListeners, Weir, WeirBefore
from report import count, duration, per_second
from tools import REPOSITORY, Failure

TITLE = "new connections by name, beside a plain route"
# As in `metrics`: many short runs, not few long ones.
RUNS_PER_ROUND = 4
SHORTEST_RUN = 1
BAR = 1.10
HELLO = os.path.join(REPOSITORY, "Fuzz/Corpus/ClientHello/curl")
NAME = "www.example.net"
# Routes that the clients do not ask for.
OTHER_NAMES = ["git.example.net", "mail.example.net"]
SHAPES = ("plain", "named")


class Named(OwnListeners):
    """A listener for one route, and one where the hello's name chooses among three. `upstreams` is a single port."""

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.plain, self.named = processes.free_port(), processes.free_port()

    def listening_ports(self):
        return (self.plain, self.named)


class NginxByName(Named, Nginx):
    def configuration(self):
        names = "".join(f"{name} other; " for name in OTHER_NAMES)
        text = (
            f"    upstream server {{ server 127.0.0.1:{self.upstreams}; }}\n"
            f"    upstream other {{ server 127.0.0.1:{self.upstreams}; }}\n"
            f"    map $ssl_preread_server_name $chosen {{ hostnames; {NAME} server; {names}default other; }}\n"
            f"    server {{ listen 127.0.0.1:{self.plain} reuseport backlog=4096; proxy_pass server; }}\n"
            f"    server {{ listen 127.0.0.1:{self.named} reuseport backlog=4096; ssl_preread on; "
            "proxy_pass $chosen; }\n"
        )
        return super().configuration().removesuffix("}\n") + text + "}\n"


class HAProxyByName(Named, HAProxy):
    def configuration(self):
        names = "".join(f"    use_backend other if {{ req.ssl_sni -i {name} }}\n" for name in OTHER_NAMES)
        return self.head() + (
            f"frontend plain\n    bind 127.0.0.1:{self.plain} backlog 4096\n    default_backend server\n"
            f"frontend named\n    bind 127.0.0.1:{self.named} backlog 4096\n    tcp-request inspect-delay 5s\n"
            "    tcp-request content accept if { req.ssl_hello_type 1 }\n"
            f"    use_backend server if {{ req.ssl_sni -i {NAME} }}\n{names}    default_backend other\n"
            f"backend server\n    server upstream 127.0.0.1:{self.upstreams}\n"
            f"backend other\n    server upstream 127.0.0.1:{self.upstreams}\n"
        )


class WeirByName(Named, Weir):
    def configuration(self):
        plain = self.route("plain", "tcp4", self.plain, self.upstreams)
        routes = [
            self.route(f"named-{number}", "tcp4", self.named, self.upstreams).replace(" }\n", f", sni: {name} }}\n")
            for number, name in enumerate([NAME, *OTHER_NAMES])
        ]
        rest = self.route("rest", "tcp4", self.named, self.upstreams)
        return self.head() + plain + "".join(routes) + rest

    def listening_ports(self):
        return (*super().listening_ports(), self.exporter_port)


class WeirBeforeByName(WeirByName, WeirBefore):
    """The other build."""


KINDS = {kind.key: kind for kind in (NginxByName, HAProxyByName, WeirBeforeByName, WeirByName)}


def _hello():
    with open(HELLO, "rb") as file:
        return file.read()


def _script(directory):
    """Lets wrk send the hello in place of a request. Its first one wrk reads itself, as HTTP, and sends it nowhere."""
    path = os.path.join(directory, "hello.lua")
    with open(path, "w", encoding="ascii") as file:
        file.write('local hello = "' + "".join(f"\\{byte:03}" for byte in _hello()) + '"\n')
        file.write('local following = "GET / HTTP/1.1\\r\\n\\r\\n"\n')
        file.write("function request() local now = following; following = hello; return now end\n")
    return path


def measure(keys, directory, backends, rounds, seconds, report, is_over):
    """All proxies and both shapes right after each other, in an order that turns: ratios are those of one round."""
    seconds = max(SHORTEST_RUN, seconds // RUNS_PER_ROUND)
    backends.answers()
    script = _script(directory)
    lines = {
        shape: (
            report.line(TITLE, f"rate, {shape}", per_second, better="higher"),
            report.line(TITLE, f"proxy CPU per connection, {shape}", duration),
        )
        for shape in SHAPES
    }
    beside_plain = report.line(TITLE, f"proxy CPU, named ÷ plain (Weir's bar: {BAR})", _ratio, better=None)
    beside_nginx = report.line(TITLE, "proxy CPU by name ÷ nginx's (Weir's bar: 1)", _ratio, better=None)
    running = []
    try:
        for key in keys:
            if key in KINDS:
                proxy = KINDS[key](directory, backends.answers_port, "-names")
                try:
                    proxy.start()
                except (Failure, OSError) as failure:
                    # An older build may know no names.
                    proxy.stop()
                    report.fail(TITLE, key, failure)
                    continue
                running.append(proxy)
        for number in range(-1, rounds * RUNS_PER_ROUND):
            if is_over():
                report.fail(TITLE, "all", f"no time left for run {number + 1}")
                return
            costs = {}
            turn = number % len(running)
            for proxy in running[turn:] + running[:turn]:
                for shape in SHAPES if number % 2 else SHAPES[::-1]:
                    try:
                        port = getattr(proxy, shape)
                        rate, cost = proxy.measured(lambda: loads.requests(port, "/", seconds, script=script))
                    except (Failure, OSError) as failure:
                        report.fail(TITLE, proxy.key, failure)
                        continue
                    costs[proxy.key, shape] = cost
                    # The first run finds cold memory.
                    if number >= 0:
                        lines[shape][0].add(proxy.key, rate)
                        lines[shape][1].add(proxy.key, cost)
            if number >= 0:
                _compare(costs, beside_plain, beside_nginx)
    finally:
        for proxy in running:
            proxy.stop()


def _compare(costs, beside_plain, beside_nginx):
    for (key, shape), cost in costs.items():
        if shape == "named" and (key, "plain") in costs:
            beside_plain.add(key, cost / costs[key, "plain"])
        if shape == "named" and ("nginx", "named") in costs:
            beside_nginx.add(key, cost / costs["nginx", "named"])


def _ratio(value):
    return f"{value:.3f}"


# Counts ----------------------------------------------------------------------------------------------------------------


def system_calls(keys, directory, backends, report):
    backends.answers()
    script = _script(directory)
    lines = _lines(report, tracing.CALLS_TITLE, "per new connection with a hello")
    for kind in (KINDS[key] for key in keys if key in KINDS):
        proxy = kind(directory, backends.answers_port, "-names-calls")
        try:
            proxy.start()
            for shape, line in lines.items():
                port = getattr(proxy, shape)

                def load(port=port):
                    return loads.requests(
                        port, "/", tracing.TRACED_SECONDS, script=script, connections=tracing.TRACED_CONNECTIONS)

                line.add(proxy.key, tracing.calls_per_operation(proxy, load))
        except (Failure, OSError) as failure:
            report.fail(tracing.CALLS_TITLE, proxy.key, failure)
        finally:
            proxy.stop()


def instructions(keys, directory, backends, report):
    backends.answers()
    lines = _lines(report, tracing.INSTRUCTIONS_TITLE, "user space, per new connection with a hello")
    for shape, line in lines.items():
        for kind in (KINDS[key] for key in keys if key in KINDS):
            try:
                line.add(kind.key, tracing.instructions_per_operation(
                    kind, directory, backends.answers_port, f"names-{shape}",
                    lambda proxy, times, shape=shape: _connections(getattr(proxy, shape), times)))
            except (Failure, OSError) as failure:
                report.fail(tracing.INSTRUCTIONS_TITLE, kind.key, failure)


def _lines(report, title, measure):
    texts = {"plain": "plain route", "named": "by name"}
    return {shape: report.line(title, f"{measure}, {text}", count) for shape, text in texts.items()}


def _connections(port, times):
    hello = _hello()
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(hello)
            while connection.recv(4096):
                pass
