"""The servers behind the proxies: nginx with static answers, iperf3, unbound with local data."""

import os
from dataclasses import dataclass, field

import processes
from tools import locate, stream_module

ZONE = "weir.test"
NAMES = range(10, 74)
# More ports of the web server, for rows that divide clients among several upstreams.
MEMBERS = 10


@dataclass
class Ports:
    """One port per service; the servers have one set and every proxy another."""

    http: int = field(default_factory=processes.free_port)
    iperf: int = field(default_factory=processes.free_port)
    dns: int = field(default_factory=processes.free_port)
    idle: int = field(default_factory=processes.free_port)


class Backends:
    """Starts the servers on first use and keeps them until `stop`."""

    def __init__(self, directory):
        self.directory = os.path.join(directory, "backends")
        os.mkdir(self.directory)
        self.ports = Ports()
        self.members = processes.free_ports(MEMBERS)
        self.answers_port = processes.free_port()
        self.encrypted_port = processes.free_port()
        self.questions = self._write("questions", "".join(f"host{n}.{ZONE} A\n" for n in NAMES))
        self._children = {}

    def stop(self):
        for child in self._children.values():
            child.stop(seconds=2)
        self._children.clear()

    def http(self):
        """`/small` answers 64 bytes from memory; `/16k` and `/1m` are files."""
        if self._runs("web"):
            return
        for name, size in (("16k", 16 << 10), ("1m", 1 << 20)):
            self._write(name, "w" * size)
        paths = "".join(
            f"{kind}_temp_path {self.directory}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        listens = "".join(f"listen 127.0.0.1:{port} backlog=4096;" for port in (self.ports.http, *self.members))
        configuration = self._write(
            "web.conf",
            f"""
            daemon off; worker_processes 1; pid {self.directory}/web.pid; error_log stderr crit;
            worker_rlimit_nofile 8192;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; lingering_close off;
                open_file_cache max=16; default_type application/octet-stream; {paths}
                server {{
                    {listens}
                    root {self.directory};
                    location = /small {{ return 200 "{"w" * 64}"; }}
                }}
            }}
            """,
        )
        self._start("web", ["nginx", "-p", self.directory, "-e", "stderr", "-c", configuration], self.ports.http)

    def encrypted_http(self, files):
        """The same over TLS. Returns its port."""
        self._stream(
            "encrypted", self.encrypted_port,
            f"""
                server {{
                    listen 127.0.0.1:{self.encrypted_port} ssl backlog=4096;
                    ssl_certificate {files.certificate}; ssl_certificate_key {files.key};
                    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:sessions:10m;
                    proxy_pass 127.0.0.1:{self.ports.http};
                }}
            """)
        return self.encrypted_port

    def answers(self):
        """Takes a hello of TLS, which it does not answer as TLS: with a short answer of HTTP, and an end."""
        answer = f"HTTP/1.1 200 OK\\r\\nContent-Length: 64\\r\\nConnection: close\\r\\n\\r\\n{'w' * 64}"
        self._stream(
            "answers", self.answers_port,
            f"""
                # To read the hello: a socket with unread bytes would be reset.
                ssl_preread on;
                server {{ listen 127.0.0.1:{self.answers_port} backlog=4096; return "{answer}"; }}
            """)

    def _stream(self, name, port, servers):
        """An nginx with stream servers, one of which listens on the port."""
        if self._runs(name):
            return
        configuration = self._write(
            f"{name}.conf",
            f"""
            load_module {stream_module()};
            daemon off; worker_processes 1; pid {self.directory}/{name}.pid; error_log stderr crit;
            worker_rlimit_nofile 8192;
            events {{ worker_connections 4096; }}
            stream {{
                access_log off;{servers}}}
            """,
        )
        self._start(name, ["nginx", "-p", self.directory, "-e", "stderr", "-c", configuration], port)

    def iperf(self):
        """A fresh server for one test: one that was cut off may stay busy for long."""
        old = self._children.pop("iperf", None)
        if old is not None:
            old.stop(seconds=1)
        port = self.ports.iperf
        self._start("iperf", ["iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", str(port)], port)

    def dns(self):
        if self._runs("unbound"):
            return
        hosts = "".join(f'    local-data: "host{n}.{ZONE}. 60 IN A 192.0.2.{n}"\n' for n in NAMES)
        configuration = self._write(
            "unbound.conf",
            "server:\n"
            + "".join(
                f"    {line}\n"
                for line in (
                    "interface: 127.0.0.1",
                    f"port: {self.ports.dns}",
                    "do-daemonize: no",
                    "use-syslog: no",
                    'logfile: ""',
                    "verbosity: 0",
                    'username: ""',
                    'chroot: ""',
                    f'directory: "{self.directory}"',
                    f'pidfile: "{self.directory}/unbound.pid"',
                    "num-threads: 1",
                    "so-rcvbuf: 0",
                    "access-control: 127.0.0.0/8 allow",
                    'module-config: "iterator"',
                    f'local-zone: "{ZONE}." static',
                )
            )
            + hosts
            + "remote-control:\n    control-enable: no\n",
        )
        # It answers over TCP on the same port, which is how its readiness shows.
        self._start("unbound", ["unbound", "-d", "-p", "-c", configuration], self.ports.dns)

    def _runs(self, name):
        return name in self._children and self._children[name].is_running()

    def _start(self, name, command, port):
        child = processes.Child(name, [locate(command[0]), *command[1:]], self.directory)
        self._children[name] = child
        child.wait_until(lambda: processes.is_listening(port), f"listening on {port}")

    def _write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path
