"""scripts/package: the weight of the program, the archive, and the life of the Debian package."""

import os
import re
import shutil
import subprocess
import tarfile

import pytest

from support import REPOSITORY, Process, free_port, http, package, run, wait_until

# The Debian packages that a program without Foundation needs.
LIBRARIES = {
    "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "libcrypt.so.1", "libyaml-0.so.2",
    "libcurl.so.4", "libmaxminddb.so.0", "libssl.so.3", "libcrypto.so.3"}


def deb(packages, version):
    return next(packages.glob(f"weir_{version}_*.deb"))


def test_the_static_program_is_light_and_needs_few_libraries(program, tmp_path):
    stripped = tmp_path / "weir"
    assert run("strip", "-o", str(stripped), program).returncode == 0
    assert stripped.stat().st_size <= 15_000_000
    needed = set(re.findall(r"NEEDED.*\[(.+)\]", run("readelf", "-d", str(stripped)).stdout))
    assert needed - {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"} == LIBRARIES


def test_the_program_has_no_parser_of_regular_expressions(program):
    # One `contains("text")` of a String links them: more than 1 MB.
    symbols = run("nm", program)
    assert symbols.returncode == 0 and "WeirProxy" in symbols.stdout
    assert "_StringProcessing" not in symbols.stdout and "_RegexParser" not in symbols.stdout


def test_the_same_source_makes_the_same_bytes(program, packages, tmp_path):
    again = package(program, tmp_path, "0.2.0")
    assert again.returncode == 0, again.stdout + again.stderr
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 2
    for name in files:
        assert (tmp_path / name).read_bytes() == (packages / name).read_bytes(), name


def test_the_archive_runs_where_it_is_unpacked(packages, tmp_path):
    with tarfile.open(next(packages.glob("weir-0.2.0-*.tar.gz"))) as archive:
        assert all(member.uid == 0 and not member.name.startswith(("/", "..")) for member in archive)
        archive.extractall(tmp_path)
    (home,) = tmp_path.iterdir()
    assert {path.name for path in home.iterdir()} == {"bin", "share", "lib", "etc", "README.md", "CHANGELOG.md", "LICENSE"}
    checked = run(str(home / "bin/weir"), "check", str(home / "etc/weir/weir.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


class Debian:
    """A file system with a database of packages and nothing else: maintainer scripts get its path in DPKG_ROOT."""

    def __init__(self, root):
        self.root = root
        for name in ("var/lib/dpkg/updates", "var/lib/dpkg/info", "var/log"):
            (root / name).mkdir(parents=True)
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()

    def dpkg(self, *arguments) -> str:
        # Its dependencies are this machine's.
        done = run("dpkg", f"--root={self.root}", "--force-script-chrootless", "--force-depends", "--force-not-root",
                   "--force-confdef", "--force-confold", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self) -> set[str]:
        paths = (path.relative_to(self.root) for path in self.root.rglob("*") if not path.is_dir())
        return {str(path) for path in paths if not str(path).startswith(("var/lib/dpkg", "var/log/dpkg"))}


def test_it_is_installed_upgraded_removed_and_purged(packages, tmp_path):
    debian = Debian(tmp_path)
    debian.dpkg("-i", str(deb(packages, "0.1.9")))
    assert debian.files() == {
        "usr/bin/weir", "etc/weir/weir.yml", "lib/systemd/system/weir.service",
        "lib/systemd/system/weir-agent.service", "usr/share/man/man1/weir.1.gz",
        "usr/share/bash-completion/completions/weir", "usr/share/zsh/site-functions/_weir",
        "usr/share/fish/vendor_completions.d/weir.fish", "usr/share/weir/weir.schema.json",
        "usr/share/doc/weir/copyright", "usr/share/doc/weir/changelog.gz"}
    assert "ExecStart=/usr/bin/weir run" in (tmp_path / "lib/systemd/system/weir.service").read_text()

    # The installed program runs on, with an edited configuration, while it is upgraded.
    port = free_port()
    configuration = tmp_path / "etc/weir/weir.yml"
    edited = (f"exporter: {{ listen: 127.0.0.1:{port} }}\n"
              f"routes: {{ a: {{ scheme: tcp4, bind: 127.0.0.1, port: {free_port()}:9 }} }}\n")
    configuration.write_text(edited)
    with Process(tmp_path, str(tmp_path / "usr/bin/weir"), "run", "--config", str(configuration)) as running:
        wait_until("it runs", lambda: http(f"http://127.0.0.1:{port}/readyz")[0] == 200)
        debian.dpkg("-i", str(deb(packages, "0.2.0")))
        running.check()
        assert http(f"http://127.0.0.1:{port}/healthz")[0] == 200
    assert configuration.read_text() == edited
    assert "Version: 0.2.0" in debian.dpkg("-s", "weir")

    (tmp_path / "etc/weir/tokens").write_text("one more file of the operator\n")
    (tmp_path / "var/log/weir").mkdir()
    (tmp_path / "var/log/weir/access.log").write_text("a line\n")
    for log in tmp_path.glob("*.log"):
        log.unlink()
    debian.dpkg("-r", "weir")
    assert debian.files() == {"etc/weir/weir.yml", "etc/weir/tokens", "var/log/weir/access.log"}
    debian.dpkg("-P", "weir")
    assert debian.files() == set()
    assert not (tmp_path / "etc/weir").exists()


@pytest.fixture(scope="module")
def root(packages, debian, tmp_path_factory):
    """A minimal Debian in which apt installs packages with their dependencies, and starts no service."""
    folder = tmp_path_factory.mktemp("installed") / "root"
    copied = run("cp", "-a", str(debian), str(folder))
    assert copied.returncode == 0, copied.stderr
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    for version in ("0.1.9", "0.2.0"):
        shutil.copy(deb(packages, version), folder / f"root/{version}.deb")
    yield folder
    shutil.rmtree(folder)


def chrooted(root, *command: str) -> list[str]:
    # With /proc, where Swift reads its arguments, in a mount namespace that ends with the command.
    return ["unshare", "-m", "sh", "-c", 'mount --bind /proc "$0/proc" && exec chroot "$0" "$@"', str(root), *command]


@pytest.mark.long
def test_apt_installs_upgrades_removes_and_purges_it_in_a_minimal_debian(root, tmp_path):
    def apt(*arguments: str) -> str:
        done = run(*chrooted(root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q", *arguments))
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def status() -> str:
        return run(*chrooted(root, "dpkg-query", "-W", "-f", "${Status} ${Version}", "weir")).stdout

    def files() -> set[str]:
        paths = (str(path.relative_to(root)) for path in root.rglob("*") if not path.is_symlink() and path.is_file())
        return {path for path in paths if not path.startswith(("var/lib/", "var/cache/", "var/log/apt", "root/"))}

    before = files()
    apt("install", "--no-install-recommends", "/root/0.1.9.deb")
    assert status() == "install ok installed 0.1.9"
    assert "not found" not in run("chroot", str(root), "ldd", "/usr/bin/weir").stdout
    checked = run(*chrooted(root, "weir", "check"))
    assert checked.returncode == 0 and "ok" in checked.stdout, checked.stdout + checked.stderr

    port = free_port()
    edited = (f"exporter: {{ listen: 127.0.0.1:{port} }}\n"
              f"routes: {{ a: {{ scheme: tcp4, bind: 127.0.0.1, port: {free_port()}:9 }} }}\n")
    (root / "etc/weir/weir.yml").write_text(edited)
    with Process(tmp_path, *chrooted(root, "weir", "run")) as running:
        wait_until("it runs", lambda: running.check() or http(f"http://127.0.0.1:{port}/readyz")[0] == 200)
        apt("install", "/root/0.2.0.deb")
        running.check()
        assert http(f"http://127.0.0.1:{port}/healthz")[0] == 200
    assert status() == "install ok installed 0.2.0"
    assert (root / "etc/weir/weir.yml").read_text() == edited
    assert run(*chrooted(root, "weir", "version")).returncode == 0

    (root / "var/log/weir").mkdir()
    (root / "var/log/weir/access.log").write_text("a line\n")
    apt("remove", "weir")
    assert status() == "deinstall ok config-files 0.2.0"
    assert (root / "etc/weir/weir.yml").read_text() == edited and not (root / "usr/bin/weir").exists()
    apt("purge", "weir")
    assert "installed" not in status()
    # The dependencies go as what apt installed by itself, and nothing is left of either.
    apt("autoremove", "--purge")
    left = {path for path in files() - before if "weir" in path or path.startswith(("usr/lib/", "etc/weir"))}
    assert {path for path in left if not path.endswith((".cache", ".conf~"))} == set()
    assert not (root / "etc/weir").exists() and not (root / "var/log/weir").exists()


def test_the_package_names_what_it_needs(packages):
    control = run("dpkg-deb", "-f", str(deb(packages, "0.2.0")), "Depends").stdout.strip()
    assert re.fullmatch(
        r"libc6 \(>= 2\.\d+\), libcrypt1, libcurl4, libgcc-s1, libmaxminddb0, libssl3, libstdc\+\+6, libyaml-0-2, zlib1g",
        control), control


@pytest.mark.parametrize("arguments, message", [
    (["--binary", "/nonexistent"], "--binary: /nonexistent is not a program"),
    (["--version", "1 2"], "--version: expected digits, letters and .+~, found '1 2'"),
    (["--version"], "--version needs a value"), (["--what"], "unknown option '--what'"),
])
def test_wrong_arguments_are_refused_before_anything_is_written(program, tmp_path, arguments, message):
    given = [] if "--binary" in arguments else ["--binary", program]
    refused = run(str(REPOSITORY / "scripts" / "package"), "--output", str(tmp_path / "out"), *given, *arguments)
    assert refused.returncode == 1 and message in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_program_that_needs_libraries_of_no_package_is_refused(tmp_path):
    # Linked with a library that is only here.
    assert shutil.which("cc") or shutil.which("clang")
    compiler = shutil.which("cc") or shutil.which("clang")
    (tmp_path / "own.c").write_text("int own(void) { return 0; }\n")
    (tmp_path / "main.c").write_text("int own(void); int main(void) { return own(); }\n")
    library = tmp_path / "libown.so"
    assert run(compiler, "-shared", "-o", str(library), str(tmp_path / "own.c")).returncode == 0
    program = tmp_path / "program"
    linked = run(compiler, "-o", str(program), str(tmp_path / "main.c"), str(library))
    assert linked.returncode == 0, linked.stderr
    refused = package(program, tmp_path / "out", "1.0")
    assert refused.returncode == 1 and "libown.so is in no package" in refused.stderr
