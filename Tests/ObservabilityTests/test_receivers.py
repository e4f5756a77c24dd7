"""The shipped Alertmanager configuration: its receivers are empty, and its commented examples reach a person."""

import json
import re

import pytest
import yaml

from receivers import HOST, MailReceiver, WebReceiver
from support import PROMETHEUS, Process, free_port, http, run, tool, wait_until

SHIPPED = (PROMETHEUS / "alertmanager.yml").read_text()


def with_examples() -> str:
    """The shipped file with the comment signs of its examples removed."""
    return re.sub(r"^    # ( *(?:- )?\w+_configs?:|  .*)$", r"    \1", SHIPPED, flags=re.MULTILINE)


def test_nothing_is_sent_as_the_file_is_shipped_and_it_says_so():
    assert all(set(receiver) == {"name"} for receiver in yaml.safe_load(SHIPPED)["receivers"])
    assert "As it stands it tells no person" in SHIPPED
    assert "### Telling a person" in (PROMETHEUS.parent / "docs/dashboards.md").read_text()


def test_the_examples_are_a_telephone_discord_and_an_email():
    receivers = {receiver["name"]: receiver for receiver in yaml.safe_load(with_examples())["receivers"]}
    assert set(receivers["critical"]) == {"name", "webhook_configs", "discord_configs", "email_configs"}
    assert set(receivers["warning"]) == {"name", "webhook_configs"}
    assert all(one["send_resolved"] for name in ("critical", "warning") for kind, configs in receivers[name].items()
               if kind != "name" for one in configs)


def test_alertmanager_takes_the_examples(tmp_path):
    path = tmp_path / "alertmanager.yml"
    path.write_text(with_examples())
    checked = run(tool("amtool"), "check-config", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def web():
    receiver = WebReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def mail():
    receiver = MailReceiver()
    yield receiver
    receiver.stop()


def test_an_alert_made_by_hand_arrives_by_each_example(tmp_path, web, mail):
    text = with_examples()
    for real, here in (("https://ntfy.sh", f"http://{HOST}:{web.port}"),
                       ("https://discord.com", f"http://{HOST}:{web.port}"),
                       ("smtp.example.net:587", f"{HOST}:{mail.port}\n        require_tls: false")):
        assert real in text
        text = text.replace(real, here)
    configuration = tmp_path / "alertmanager.yml"
    configuration.write_text(text)
    url = f"http://{HOST}:{free_port()}"
    with Process(tmp_path, tool("prometheus-alertmanager"), f"--config.file={configuration}",
                 f"--storage.path={tmp_path / 'alerts'}", "--cluster.listen-address=",
                 f"--web.listen-address={url.removeprefix('http://')}"):
        wait_until("Alertmanager is ready", lambda: http(f"{url}/-/ready")[0] == 200, 60)
        # As the file and the documentation say.
        command = re.search(r"alert add (.+)$", SHIPPED, re.MULTILINE)[1].split()
        added = run(tool("amtool"), f"--alertmanager.url={url}", "alert", "add", *command)
        assert added.returncode == 0, added.stdout + added.stderr

        def paths() -> set[str]:
            return {path.split("?")[0].split("/")[1] for path, _ in web.received}

        wait_until("the telephone and Discord have it", paths, 90,
                   lambda seen: seen == {"weir-alerts-choose-a-long-name", "api"})
        wait_until("the e-mail is there", lambda: mail.received, 90)
    topic = next(path for path, _ in web.received if path.startswith("/weir-alerts"))
    assert "template=alertmanager" in topic and "priority=urgent" in topic
    assert all("WeirTest" in json.dumps(message) for _, message in web.received)
    assert "WeirTest" in mail.received[0] and "on-call@example.net" in mail.received[0]
