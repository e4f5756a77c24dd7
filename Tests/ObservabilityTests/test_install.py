"""scripts/install, below a root of its own: what it puts where, and whether the unit, man pages and completions work."""

import configparser
import re
import shlex
import stat

import pytest

from support import REPOSITORY, Process, free_ports, http, run, tool, wait_until, weir

COMMANDS = ["check", "demo", "health", "metrics", "run", "schema", "version"]
PREFIX = "opt/weir"


def install(root, *arguments):
    return run(str(REPOSITORY / "scripts" / "install"), "--root", str(root), "--prefix", f"/{PREFIX}", *arguments)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    made = tmp_path_factory.mktemp("installed")
    installed = install(made, "--binary", weir())
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return made


def files(root) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_everything_is_where_it_belongs_and_only_its_owner_may_write_it(root):
    assert files(root) == {
        f"{PREFIX}/bin/weir", f"{PREFIX}/share/man/man1/weir.1", f"{PREFIX}/share/bash-completion/completions/weir",
        f"{PREFIX}/share/zsh/site-functions/_weir", f"{PREFIX}/share/fish/vendor_completions.d/weir.fish", f"{PREFIX}/share/weir/weir.schema.json",
        "etc/systemd/system/weir.service", "etc/systemd/system/weir-agent.service", "etc/weir/weir.yml"}
    for name in files(root):
        mode = stat.S_IMODE((root / name).stat().st_mode)
        assert mode == (0o755 if name.endswith("/bin/weir") else 0o644), name


def test_the_installed_program_takes_the_installed_configuration(root):
    program = str(root / PREFIX / "bin" / "weir")
    checked = run(program, "check", "--config", str(root / "etc/weir/weir.yml"))
    assert (checked.returncode, checked.stderr) == (0, ""), checked


def test_a_configuration_that_is_there_stays_and_uninstalling_leaves_nothing_else(tmp_path):
    assert install(tmp_path, "--binary", weir()).returncode == 0
    configuration = tmp_path / "etc/weir/weir.yml"
    configuration.write_text("routes: {}\n")
    again = install(tmp_path, "--binary", weir())
    assert again.returncode == 0 and "is there already" in again.stdout
    assert configuration.read_text() == "routes: {}\n"
    assert install(tmp_path, "--uninstall").returncode == 0
    assert files(tmp_path) == {"etc/weir/weir.yml"}


def test_a_program_that_runs_is_replaced_and_goes_on_and_masks_do_not_count(tmp_path):
    assert install(tmp_path, "--binary", weir()).returncode == 0
    port = free_ports(2)
    listen = port + 1
    (tmp_path / "etc/weir/weir.yml").write_text(
        f"exporter: {{ listen: 127.0.0.1:{port} }}\n"
        f"routes: {{ a: {{ scheme: tcp, bind: 127.0.0.1, port: {listen}:9 }} }}\n")
    program = tmp_path / PREFIX / "bin" / "weir"
    before = program.stat().st_ino
    with Process(tmp_path, str(program), "run", "--config", str(tmp_path / "etc/weir/weir.yml")) as running:
        wait_until("it runs", lambda: http(f"http://127.0.0.1:{port}/readyz")[0] == 200)
        command = [str(REPOSITORY / "scripts" / "install"), "--root", str(tmp_path), "--prefix", f"/{PREFIX}",
                   "--binary", weir()]
        again = run("bash", "-c", f"umask 077; exec {shlex.join(command)}")
        assert again.returncode == 0, again.stdout + again.stderr
        running.check()
        assert http(f"http://127.0.0.1:{port}/healthz")[0] == 200
    assert program.stat().st_ino != before
    for name in files(tmp_path) - {path.name for path in tmp_path.glob("*.log")}:
        mode = stat.S_IMODE((tmp_path / name).stat().st_mode)
        assert mode == (0o755 if name.endswith("/bin/weir") else 0o644), name


@pytest.mark.parametrize("arguments, message", [
    (["--prefix", "relative"], "--prefix: expected an absolute path of letters, digits and ._+-, found 'relative'"),
    (["--prefix", "/opt/a b"], "found '/opt/a b'"), (["--prefix", "/opt/a|b"], "found '/opt/a|b'"),
    (["--binary", "/nonexistent"], "--binary: /nonexistent is not a program"),
    (["--binary", "/tmp"], "--binary: /tmp is not a program"),
    (["--prefix"], "--prefix needs a value"), (["--help-me"], "unknown option '--help-me'"),
])
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, arguments, message):
    refused = run(str(REPOSITORY / "scripts" / "install"), "--root", str(tmp_path / "root"), *arguments)
    assert refused.returncode == 1 and message in refused.stderr
    assert not (tmp_path / "root").exists()


def test_systemd_finds_nothing_wrong_with_the_unit(root, tmp_path):
    unit = root / "etc/systemd/system/weir.service"
    assert f"ExecStart=/{PREFIX}/bin/weir run --config /etc/weir/weir.yml" in unit.read_text()
    assert f"ExecReload=/{PREFIX}/bin/weir reload --config /etc/weir/weir.yml" in unit.read_text()
    # As it would be on a machine where the program is at this path.
    here = tmp_path / "weir.service"
    here.write_text(unit.read_text().replace(f"/{PREFIX}/bin/weir", str(root / PREFIX / "bin" / "weir")))
    checked = run(tool("systemd-analyze"), "verify", "--man=no", str(here))
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_unit_keeps_trying_where_an_address_comes_late(root):
    # A key may stand several times, so that this is no file for configparser's strict mode.
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(root / "etc/systemd/system/weir.service")
    # systemd.unit(5): in this section, else it is ignored; 0 means that no number of starts is too many.
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "on-failure"


def test_the_unit_is_hardened(root):
    unit = str(root / "etc/systemd/system/weir.service")
    # Out of 10.0, in tenths.
    judged = run(tool("systemd-analyze"), "security", "--offline=true", "--threshold=20", "--no-pager", unit)
    assert judged.returncode == 0, judged.stdout[-400:] + judged.stderr


def test_the_man_page_tells_every_command_and_option_and_has_no_mistake(root):
    path = root / PREFIX / "share/man/man1/weir.1"
    shown = run(tool("groff"), "-man", "-Tascii", "-ww", "-P-cbou", str(path))
    assert (shown.returncode, shown.stderr) == (0, "")
    for command in COMMANDS:
        section = re.search(rf"^   weir {command}$(.*?)(?=^   weir |^[A-Z])", shown.stdout, re.MULTILINE | re.DOTALL)
        assert section, command
        helped = run(weir(), command, "--help").stdout
        for option in set(re.findall(r"--[a-z-]+", helped)) - {"--help", "--version"}:
            assert option in section[1], f"{option} of {command}"
    assert "weir manual" not in shown.stdout


def test_bash_completes_commands_and_options(root):
    completions = root / PREFIX / "share/bash-completion/completions/weir"

    def complete(*words: str) -> set[str]:
        script = (
            f"source {shlex.quote(str(completions))}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
            f"COMP_CWORD={len(words) - 1}; COMP_LINE={shlex.quote(' '.join(words))}; COMP_POINT=${{#COMP_LINE}}; "
            "COMP_TYPE=9; COMP_KEY=9; $(complete -p weir | sed 's/.*-F \\([^ ]*\\).*/\\1/') "
            f"weir {shlex.quote(words[-1])} {shlex.quote(words[-2])}; "
            "printf '%s\\n' \"${COMPREPLY[@]}\"")
        completed = run("bash", "-c", script)
        assert completed.returncode == 0, completed.stderr
        return {word.strip() for word in completed.stdout.split("\n")} - {""}

    assert set(COMMANDS) <= complete("weir", "")
    assert complete("weir", "he") >= {"health"} and "run" not in complete("weir", "he")
    assert "--base-port" in complete("weir", "demo", "--b")
