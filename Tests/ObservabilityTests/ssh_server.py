"""An sshd of the tests' own and the clients that fit it."""

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from databases import UNPRIVILEGED
from support import Process, free_port, run, tool, wait_until


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def await_listening(process: Process, port: int):
    table = Path("/proc/net/tcp")
    wait_until(f"{process.name} listens", lambda: process.check() or f":{port:04X} " in table.read_text(), 60)


class SSHServer:
    """An sshd that lets in the user who runs it: without root, as it needs no system account then. For files alone, or
    with a shell, for which root is needed.
    """

    def __init__(self, folder: Path, with_shell: bool = False):
        self.folder, self.port = folder, free_port()
        user = UNPRIVILEGED if os.geteuid() == 0 else os.geteuid()
        self.user = pwd.getpwuid(user).pw_name
        self.files = folder / "files"
        self.files.mkdir()
        for key in ("host_key", "user_key"):
            made = run(tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key))
            assert made.returncode == 0, made.stderr
        configuration = folder / "sshd_config"
        # Without PAM an account whose shell is nologin is a locked one.
        configuration.write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host_key\nPidFile none\n"
            f"UsePAM {'yes' if os.geteuid() == 0 else 'no'}\nStrictModes no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nAuthorizedKeysFile {folder}/user_key.pub\n"
            "Subsystem sftp internal-sftp\n" + ("" if with_shell else "ForceCommand internal-sftp\n"))
        command = [tool("sshd"), "-D", "-e", "-f", str(configuration)]
        if os.geteuid() == 0:
            for path in (folder, self.files, *folder.iterdir()):
                shutil.chown(path, user, user)
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--pdeathsig=KILL", "--",
                       *command]
            if with_shell:
                command = self._with_account(command)
        self.process = Process(folder, *command)
        await_listening(self.process, self.port)

    def _with_account(self, command: list[str]) -> list[str]:
        """The command in a mount namespace where the user's account has a shell."""
        accounts = self.folder / "passwd"
        lines = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
        accounts.write_text("".join(
            ":".join([*line[:-2], "/", "/bin/sh"] if line[0] == self.user else line) + "\n" for line in lines))
        mount = f'mount --bind {accounts} /etc/passwd && exec "$0" "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, *command]

    def _client(self, program: str, *arguments: str) -> list[str]:
        """The command of a client that asks nothing and remembers nothing."""
        options = [f"-o{option}" for option in (
            "IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR", "Compression=no")]
        return [tool(program), "-F", "/dev/null", "-i", str(self.folder / "user_key"), *options, *arguments]

    def scp(self, port: int, source: str, target: str) -> subprocess.Popen:
        """Begins a copy."""
        return subprocess.Popen(
            self._client("scp", "-s", "-P", str(port), source, target),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ssh(self, port: int, command: str, **options) -> subprocess.CompletedProcess:
        """Runs a command in the shell there."""
        return run(*self._client("ssh", "-p", str(port), f"{self.user}@127.0.0.1", command), **options)

    def remote(self, name: str) -> str:
        return f"{self.user}@127.0.0.1:{self.files / name}"
