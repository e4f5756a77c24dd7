"""kubernetes/ and grafana/dashboards as kubectl renders them: valid objects of several versions, that fit each other, and
say what the files say from which they are made.
"""

import copy
import os
import re
import shutil
import socket
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from support import GRAFANA, PROMETHEUS, REPOSITORY, Process, free_ports, http, run, tool, wait_until, weir

KUBERNETES = REPOSITORY / "kubernetes"
# The oldest and the newest one for which there are schemas of all kinds that are used.
VERSIONS = ("1.25", "1.34")
SETS = {"base": KUBERNETES / "base", "monitoring": KUBERNETES / "monitoring", "dashboards": GRAFANA / "dashboards"}


def rendered(folder: Path) -> dict[tuple[str, str], dict]:
    """The objects of a folder, by kind and name."""
    done = run(tool("kubectl"), "kustomize", str(folder))
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    found = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    assert len(found) == len(objects)
    return found


def validate(one: dict, version: str):
    kubernetes_validate.validate(one, version, strict=True)


@pytest.fixture(scope="module")
def base():
    return rendered(SETS["base"])


@pytest.fixture(scope="module")
def pod(base):
    return base["Deployment", "weir"]["spec"]["template"]


@pytest.fixture(scope="module")
def configuration(base) -> str:
    return base["ConfigMap", "weir"]["data"]["weir.yml"]


def test_objects_are_what_the_api_takes(base):
    assert set(base) == {
        ("ConfigMap", "weir"), ("Deployment", "weir"), ("Service", "weir"), ("PodDisruptionBudget", "weir")}
    dashboards = rendered(SETS["dashboards"])
    for version in VERSIONS:
        for one in [*base.values(), *dashboards.values()]:
            validate(one, version)
    wrong = copy.deepcopy(base["Deployment", "weir"])
    wrong["spec"]["template"]["spec"]["containers"][0]["readinessProbes"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(wrong, VERSIONS[-1])


def test_the_labels_of_pods_are_those_that_are_selected(base, pod):
    labels = pod["metadata"]["labels"]
    monitor = rendered(SETS["monitoring"])["PodMonitor", "weir"]["spec"]
    selectors = [
        base["Deployment", "weir"]["spec"]["selector"]["matchLabels"], base["Service", "weir"]["spec"]["selector"],
        base["PodDisruptionBudget", "weir"]["spec"]["selector"]["matchLabels"], monitor["selector"]["matchLabels"]]
    for selector in selectors:
        assert selector and selector.items() <= labels.items()
    assert monitor["jobLabel"] in labels


def test_ports_are_those_of_the_configuration(base, pod, configuration, tmp_path):
    (tmp_path / "weir.yml").write_text(configuration)
    checked = run(weir(), "check", "--config", str(tmp_path / "weir.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    settings = yaml.safe_load(configuration)
    container, = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    exporter = int(settings["exporter"]["listen"].rpartition(":")[2])
    assert ports == {name: route["port"] for name, route in settings["routes"].items()} | {"exporter": exporter}
    service = base["Service", "weir"]["spec"]
    assert {port["targetPort"] for port in service["ports"]} == set(settings["routes"])
    assert {port["port"] for port in service["ports"]} == {route["port"] for route in settings["routes"].values()}
    # Not for the world.
    assert exporter not in {port["port"] for port in service["ports"]}
    assert service["externalTrafficPolicy"] == "Local"
    monitor = rendered(SETS["monitoring"])["PodMonitor", "weir"]["spec"]
    assert [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]] == ["exporter"]
    # The command line of the container is one of the program's.
    assert container["args"][:2] == ["run", "--config"]
    volume, = container["volumeMounts"]
    assert container["args"][2] == f"{volume['mountPath']}/weir.yml" and "subPath" not in volume


def test_a_pod_has_no_rights_and_its_user_is_that_of_the_image(pod):
    user = re.search(r"^USER (\d+):(\d+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    context = pod["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2])) and context["runAsNonRoot"]
    container, = pod["spec"]["containers"]
    own = container["securityContext"]
    assert own["readOnlyRootFilesystem"] and own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]} and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_a_pod_has_time_to_drain(pod, configuration):
    shutdown = yaml.safe_load(configuration)["shutdown"]
    seconds = [int(shutdown[key].removesuffix("s")) for key in ("delay", "drain_timeout")]
    assert sum(seconds) + 10 <= pod["spec"]["terminationGracePeriodSeconds"]
    probe = pod["spec"]["containers"][0]["readinessProbe"]
    # The pod is seen to end before it stops listening.
    assert probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] < seconds[0]


def test_the_rules_are_those_of_prometheus(tmp_path):
    current = run(sys.executable, str(KUBERNETES / "generate.py"), "--check")
    assert current.returncode == 0, current.stderr
    objects = rendered(SETS["monitoring"])
    rules = [one for (kind, _), one in objects.items() if kind == "PrometheusRule"]
    assert len(rules) == 2 and len(objects) == 3
    groups = [group for one in rules for group in one["spec"]["groups"]]
    expected = [
        group for path in (PROMETHEUS / "rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    by_name = {group["name"]: group for group in expected}
    assert {group["name"]: group for group in groups} == by_name and len(groups) == len(expected) == len(by_name)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    checked = run(tool("promtool"), "check", "rules", str(tmp_path / "rules.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_dashboard_is_an_object_small_enough_for_apply():
    files = {path.name: path.read_text(encoding="utf-8") for path in (GRAFANA / "dashboards").glob("*.json")}
    found = {}
    for (kind, _), one in rendered(SETS["dashboards"]).items():
        assert kind == "ConfigMap" and one["metadata"]["labels"]["grafana_dashboard"] == "1"
        # kubectl keeps the object as JSON in an annotation of at most 256 KiB.
        assert len(yaml.dump(one, default_style='"', width=1 << 30)) < 256 << 10
        found |= one["data"]
    assert found == files


def test_the_overlay_of_the_page(tmp_path):
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in blocks] == ["kustomization.yaml", "container.yaml", "service.yaml"]
    shutil.copytree(KUBERNETES, tmp_path / "weir" / "kubernetes")
    folder = tmp_path / "overlay"
    folder.mkdir()
    for name, text in blocks:
        (folder / name).write_text(text)
    (folder / "weir.yml").write_text("routes: {}\n")
    overlay = yaml.safe_load(blocks[0][1])
    # Debian's kubectl knows the older names of both keys alone.
    overlay["bases"] = overlay.pop("resources")
    overlay["patchesStrategicMerge"] = [patch["path"] for patch in overlay.pop("patches")]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    objects = rendered(folder)
    for one in objects.values():
        assert one["metadata"]["namespace"] == "weir"
        validate(one, VERSIONS[-1])
    assert objects["ConfigMap", "weir"]["data"] == {"weir.yml": "routes: {}\n"}
    container, = objects["Deployment", "weir"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.net/weir:0.2.0"
    assert {port["name"]: port.get("protocol", "TCP") for port in container["ports"]} == {"exporter": "TCP", "dns": "UDP"}
    assert objects["Service", "weir"]["spec"]["ports"] == [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"}]


def test_a_changed_config_map_is_taken_and_ends_no_connection(configuration, tmp_path):
    """The folder is laid out and changed as the kubelet does it: `..data` becomes a link to a new folder."""
    server = socket.create_server(("127.0.0.1", 0))
    first = free_ports(3)
    settings = yaml.safe_load(configuration)
    settings["exporter"]["listen"] = f"127.0.0.1:{first}"
    settings["shutdown"] = {"drain_timeout": "0s"}
    route = {"scheme": "tcp4", "bind": "127.0.0.1", "host": "127.0.0.1", "port": f"{first + 1}:{server.getsockname()[1]}"}
    settings["routes"] = {"redis": route}

    def publish(version: str):
        (tmp_path / version).mkdir()
        (tmp_path / version / "weir.yml").write_text(yaml.safe_dump(settings))
        os.symlink(version, tmp_path / "..data_tmp")
        os.rename(tmp_path / "..data_tmp", tmp_path / "..data")

    publish("..2026_01")
    os.symlink("..data/weir.yml", tmp_path / "weir.yml")
    proxy = Process(tmp_path, weir(), "run", "--config", str(tmp_path / "weir.yml"))
    try:
        ready = f"http://127.0.0.1:{first}/readyz"
        wait_until("it is ready", lambda: proxy.check() or _status(ready) == 200)
        client = socket.create_connection(("127.0.0.1", first + 1), 30)
        upstream, _ = server.accept()
        settings["routes"]["other"] = route | {"port": f"{first + 2}:{server.getsockname()[1]}"}
        publish("..2026_02")
        wait_until("the new route listens", lambda: _connects(first + 2))
        client.sendall(b"still here")
        assert upstream.recv(64) == b"still here"
    finally:
        proxy.stop()
        server.close()


def _status(url: str) -> int:
    try:
        return http(url)[0]
    except OSError:
        return 0


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True
