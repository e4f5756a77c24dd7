"""The parts that take minutes to make and are made once: the program as it is shipped, a minimal Debian, and a Docker
engine of the tests' own, whose data, sockets and cgroups go with it. The latter two need root.
"""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from support import REPOSITORY, TOOLS, Process, run, tool, wait_until

MIRROR = "http://deb.debian.org/debian"
BUILD = "build -c release --product weir --static-swift-stdlib --traits GeoIP,Docker,TLS"
DEBIAN = "debian:bookworm-slim"
# Of the block for benchmarks (RFC 2544), which no host has.
NETWORKS = "198.18.64.0/18"
CGROUPS = Path("/sys/fs/cgroup")
# The upstream of the tests' routes: sends back what comes, over TCP and UDP, at port 7 of both. Debian's smallest file
# system has perl, and no other language.
ECHO = r"""
use strict; use IO::Socket::INET; use IO::Select;
my $tcp = IO::Socket::INET->new(Listen => 64, LocalPort => 7, ReuseAddr => 1) or die $!;
my $udp = IO::Socket::INET->new(Proto => 'udp', LocalPort => 7) or die $!;
my $all = IO::Select->new($tcp, $udp);
$SIG{TERM} = sub { exit 0 };
while (1) {
    for my $ready ($all->can_read) {
        if ($ready == $tcp) { $all->add($tcp->accept); next }
        if ($ready == $udp) { $udp->recv(my $data, 65536); $udp->send($data); next }
        if (sysread($ready, my $data, 65536)) { syswrite($ready, $data) } else { $all->remove($ready); close $ready }
    }
}
"""
# Of the compiler's image the Dockerfile wants the program alone: this one has it already.
COMPILER = f"""#!/bin/sh
case "$*" in
"{BUILD}") ;;
"build -c release --show-bin-path") echo /opt/built ;;
*) echo "not the command that this program was built with: swift $*" >&2; exit 1 ;;
esac
"""
# The engine's parts keep sockets here, whichever folders they are given.
HIDDEN = (Path("/run/containerd"), Path("/run/docker"))


def built_program() -> str:
    """WEIR_IMAGE_BINARY, or built here."""
    if given := os.environ.get("WEIR_IMAGE_BINARY"):
        return given
    command = ["swift", *BUILD.split(), "--scratch-path", str(REPOSITORY / ".build-static")]
    # As `swift_build` of scripts/lib/common does, so that what was built before is found.
    made = run(*command, cwd=REPOSITORY, timeout=3600, env=os.environ | {"SWIFT_DETERMINISTIC_HASHING": "1"})
    assert made.returncode == 0, made.stdout[-4000:] + made.stderr[-4000:]
    return run(*command, "--show-bin-path", cwd=REPOSITORY).stdout.strip() + "/weir"


def bootstrap(root: Path):
    assert os.geteuid() == 0, "debootstrap needs root"
    made = run(tool("debootstrap"), "--variant=minbase", "bookworm", str(root), MIRROR, timeout=1800)
    assert made.returncode == 0, made.stdout[-4000:] + made.stderr[-4000:]


def in_network(name: str, *others: str) -> tuple[str, ...]:
    """The options of a container that has this name in the network of the tests."""
    return ("--network", "tests", "--name", name, "--hostname", name, *others)


def build_image(engine: "Engine", program: str, folder: Path) -> str:
    """Builds the Dockerfile as it stands. Its compiler is a stand-in with a program that was built before: the engine of
    the tests asks no registry.
    """
    (folder / "swift").write_text(COMPILER)
    (folder / "swift").chmod(0o755)
    shutil.copy(program, folder / "weir")
    (folder / "Dockerfile").write_text(
        f"FROM {DEBIAN}\nRUN apt-get update && apt-get install -y --no-install-recommends binutils\n"
        "COPY swift /usr/local/bin/swift\nCOPY weir /opt/built/weir\n")
    engine.build("swift:6.3-bookworm", folder)
    engine.build("weir:local", REPOSITORY)
    return "weir:local"


def search_path(folder: Path) -> str:
    """A search path with the tests' tools, iptables among them."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("iptables", "ip6tables"):
        (programs / name).write_text(f'#!/bin/sh\nexec "{tool(f"{name}-legacy")}" "$@"\n')
        (programs / name).chmod(0o755)
    return f"{programs}:{TOOLS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Engine:
    """A dockerd that runs until `stop`. It touches no firewall, does not make the host a router, and has no bridge but
    those of networks that a test creates; ports are published by its userland proxy.
    """

    def __init__(self, folder: Path, *addresses: str):
        """`addresses` are further ones of its API, beside a socket."""
        assert os.geteuid() == 0, "a Docker engine needs root"
        self.folder = folder
        self.addresses = addresses
        self.cgroup = f"weir-tests-{os.getpid()}-{folder.name}"
        self.address = f"unix://{folder}/socket"
        # For the name servers of networks: the engine sets them up with iptables in each container's own namespace.
        path = search_path(folder)
        # Without buildx, which would be another program. Neither this user's settings nor credentials.
        self.environment = os.environ | {
            "PATH": path, "DOCKER_HOST": self.address, "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(folder / "settings")}
        self.made = [path for path in HIDDEN if not path.exists()]
        for path in self.made:
            path.mkdir()
        self.begin_daemon()

    def begin_daemon(self):
        """Starts the daemon, again where it was stopped: its data are those of before."""
        folder = self.folder
        # Its mounts go with it: they are in a namespace of their own.
        hide = "".join(f"mount -t tmpfs none {path} && " for path in HIDDEN)
        self.daemon = Process(
            folder, "unshare", "--mount", "sh", "-c", hide + 'exec "$0" "$@"', tool("dockerd"),
            "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"), "--host", self.address,
            *[part for address in self.addresses for part in ("--host", address)],
            "--exec-opt", "native.cgroupdriver=cgroupfs", "--pidfile", str(folder / "pid"), "--bridge", "none",
            "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--cgroup-parent", f"/{self.cgroup}",
            "--default-address-pool", f"base={NETWORKS},size=24", "--shutdown-timeout", "5",
            environment=self.environment, at_our_death="TERM")
        wait_until("the engine answers", lambda: self.daemon.check() or self._docker("version").returncode == 0, 60)

    def _docker(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return run(tool("docker"), *arguments, env=self.environment, **options)

    def ask(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        """A command of `docker`, which may fail."""
        return self._docker(*arguments, **options)

    def docker(self, *arguments: str, **options) -> str:
        """A command of `docker`, and what it prints."""
        done = self._docker(*arguments, **options)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()

    @contextmanager
    def begin(self, *arguments: str):
        """A command of `docker` that runs meanwhile."""
        process = subprocess.Popen([tool("docker"), *arguments], env=self.environment, stdout=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def compose(self, *arguments: str, **options) -> str:
        done = run(tool("docker-compose"), *arguments, env=self.environment, **options)
        assert done.returncode == 0, f"docker-compose {' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def inspect(self, name: str) -> dict:
        return json.loads(self.docker("inspect", name))[0]

    def build(self, tag: str, folder: Path, dockerfile: str | None = None):
        """Builds an image, on the host's network: there is no other way out of this engine."""
        given = ["--file", "-"] if dockerfile else []
        self.docker("build", "--network", "host", "--tag", tag, *given, str(folder), input=dockerfile, timeout=1800)

    def import_image(self, root: Path, tag: str):
        """Makes an image of a file system, under the name that a registry would have it."""
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packed:
            self.docker("import", "-", tag, stdin=packed.stdout)
        assert packed.returncode == 0

    def container(self, image: str, *command: str, options: tuple[str, ...] = ()) -> "Container":
        return Container(self, self.docker("run", "--detach", *options, image, *command))

    def stop(self):
        """Ends all containers and the engine, and removes everything."""
        if containers := self._docker("ps", "--all", "--quiet").stdout.split():
            self._docker("rm", "--force", *containers)
        self._docker("network", "prune", "--force")
        self.daemon.stop()
        shutil.rmtree(self.folder)
        for path in self.made:
            # Another engine of this machine may use it by now.
            with suppress(OSError):
                path.rmdir()
        remove_cgroups(self.cgroup)


def remove_cgroups(name: str):
    """Removes the groups of an engine, which are empty."""
    for parent in [CGROUPS / name, *CGROUPS.glob(f"*/{name}")]:
        if parent.is_dir():
            for cgroup in sorted((path for path in parent.rglob("*") if path.is_dir()), reverse=True):
                cgroup.rmdir()
            parent.rmdir()


class Container:
    """A container that runs until the end of a `with`."""

    def __init__(self, engine: Engine, name: str):
        self.engine = engine
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.docker("rm", "--force", "--volumes", self.name)

    @property
    def state(self) -> dict:
        return self.engine.inspect(self.name)["State"]

    @property
    def process(self) -> int:
        """The number of its first process, on the host."""
        return self.state["Pid"]

    def ask(self, *command: str, **options) -> subprocess.CompletedProcess:
        """Runs a command in it, which may fail."""
        return self.engine.ask("exec", self.name, *command, **options)

    def call(self, *command: str) -> str:
        return self.engine.docker("exec", self.name, *command)

    def log(self) -> str:
        done = self.engine.ask("logs", self.name)
        return done.stdout + done.stderr

    def signal(self, name: str):
        self.engine.docker("kill", "--signal", name, self.name)

    def published(self, port: str) -> int:
        """The host's port of a port such as `80/tcp`."""
        return int(self.engine.docker("port", self.name, port).splitlines()[0].rpartition(":")[2])

    def await_line(self, text: str, deadline: float = 60) -> str:
        """Waits until it has logged this, and returns the line."""

        def line() -> str | None:
            assert self.state["Running"] or text in self.log(), f"it ended: {self.log()[-2000:]}"
            return next((line for line in self.log().splitlines() if text in line), None)

        return wait_until(f"it logs '{text}'", line, deadline)
