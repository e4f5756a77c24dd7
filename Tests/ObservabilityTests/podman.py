"""Podman's service, which answers as a Docker engine does, with differences. Runs until `stop`; it needs root, and a
network of the tests' own (networks.py), whose firewall and bridges it changes.
"""

import os
import resource
import shutil
import subprocess
from pathlib import Path

from machines import remove_cgroups, search_path
from support import TOOLS, Process, run, tool, wait_until

# All that it writes outside of its folder. These are its own, in a mount namespace that ends with it.
HIDDEN = ("/run", "/var/lib", "/var/cache", "/dev/shm")


class Podman:
    """The service, and its commands under the names that Docker's have."""

    def __init__(self, folder: Path):
        assert os.geteuid() == 0, "this Podman needs root"
        self.folder = folder
        self.socket = folder / "socket"
        self.address = f"unix://{self.socket}"
        self.cgroup = f"weir-tests-{os.getpid()}-{folder.name}"
        home = folder / "home" / ".config" / "containers"
        home.mkdir(parents=True)
        (home / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        most = min(1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        # Of its own defaults the limits are more than this machine may have, and journal and systemd are not here.
        (folder / "containers.conf").write_text(f"""
[containers]
default_ulimits = ["nofile={most}:{most}", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
conmon_path = ["{tool("conmon")}"]
helper_binaries_dir = ["{TOOLS}"]
static_dir = "{folder}/static"
tmp_dir = "{folder}/tmp"
volume_path = "{folder}/volumes"
[engine.runtimes]
runc = ["{tool("runc")}"]
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
""")
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/storage"\nrunroot = "{folder}/run"\n')
        self.environment = os.environ | {
            "PATH": search_path(folder), "HOME": str(folder / "home"),
            "CONTAINERS_CONF": str(folder / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf")}
        # Its mounts are in a namespace of their own, which outlives the service as containers do.
        hide = "".join(f"mount -t tmpfs none {path} && " for path in HIDDEN)
        self.namespace = Process(folder, "unshare", "--mount", "sh", "-c", hide + "exec sleep infinity")
        mounts = Path(f"/proc/{self.namespace.process.pid}/mounts")
        wait_until("it has mounts of its own", lambda: HIDDEN[-1] in [
            line.split()[1] for line in mounts.read_text().splitlines() if line.startswith("none ")], 10)
        self.begin_service()

    def begin_service(self):
        """Starts the service, again where it was stopped: containers run without it."""
        self.service = Process(
            self.folder, "nsenter", "--mount", "--target", str(self.namespace.process.pid), tool("podman"), "system",
            "service", "--time=0", self.address, environment=self.environment, at_our_death="TERM")
        wait_until("the service answers", lambda: self.service.check() or self.ask("version").returncode == 0, 60)

    def stop_service(self):
        self.service.stop()

    def ask(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        """A command, which may fail, of a client that sees no file of the service."""
        return run(tool("podman"), "--url", self.address, *arguments, env=self.environment, **options)

    def docker(self, *arguments: str, **options) -> str:
        """A command, and what it prints."""
        command = list(arguments)
        if command[0] in ("run", "create"):
            command[1:1] = ["--cgroup-parent", f"/{self.cgroup}"]
        done = self.ask(*command, **options)
        assert done.returncode == 0, f"podman {' '.join(command)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()

    def stop(self):
        """Ends all containers and the service, and removes everything."""
        self.ask("rm", "--force", "--all", "--time", "0")
        self.service.stop()
        self.namespace.stop()
        shutil.rmtree(self.folder)
        remove_cgroups(self.cgroup)
