"""The kustomize base in kubernetes/: rendered by kubectl, held against the schemas of Kubernetes, and against the image and
the configuration that it names.
"""

import importlib.util
import re

import kubernetes_validate
import pytest
import yaml

from support import REPOSITORY, run, tool, weir

FOLDER = REPOSITORY / "kubernetes"
BASE = FOLDER / "base"
MONITORING = FOLDER / "monitoring"
# The oldest and the newest version whose schemas the package has, and that are still supported somewhere.
VERSIONS = ("1.27", "1.34")


def rendered(folder, *options: str) -> list[dict]:
    done = run(tool("kubectl"), "kustomize", *options, str(folder))
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def base() -> dict:
    return {document["kind"]: document for document in rendered(BASE)}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_rendered_base_keeps_the_schemas(base, version):
    assert set(base) == {"ConfigMap", "Deployment", "Service"}
    for document in base.values():
        kubernetes_validate.validate(document, version, strict=True)


def test_a_wrong_manifest_would_be_found(base):
    wrong = base["Deployment"] | {"spec": base["Deployment"]["spec"] | {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_weir_takes_the_configuration_whose_ports_the_manifests_name(base, tmp_path):
    file = tmp_path / "weir.yml"
    file.write_text(base["ConfigMap"]["data"]["weir.yml"])
    checked = run(weir(), "check", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    configuration = yaml.safe_load(file.read_text())
    pod = base["Deployment"]["spec"]["template"]["spec"]
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
    assert ports["metrics"] == int(configuration["exporter"]["listen"].rpartition(":")[2])
    routes = {name: int(route["port"].split(":")[0]) for name, route in configuration["routes"].items()}
    assert routes == {name: port for name, port in ports.items() if name != "metrics"}
    assert {port["targetPort"]: port["port"] for port in base["Service"]["spec"]["ports"]} == routes
    seconds = [int(re.fullmatch(r"(\d+)s", configuration["shutdown"][key])[1]) for key in ("delay", "drain_timeout")]
    assert pod["terminationGracePeriodSeconds"] > sum(seconds)


def test_the_pod_is_as_confined_as_the_image_allows(base):
    pod = base["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    user = re.search(r"^USER (\d+):(\d+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    context = pod["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2])) and context["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert not pod["automountServiceAccountToken"]
    assert {key: container[key]["httpGet"]["path"] for key in ("livenessProbe", "readinessProbe")} == {
        "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert base["Service"]["spec"]["externalTrafficPolicy"] == "Local"


def test_the_rules_are_those_of_prometheus():
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.RULE.read_text() == generate.rule(), "run kubernetes/generate.py"
    groups = [
        group for file in sorted((REPOSITORY / "prometheus" / "rules").glob("*.yml"))
        for group in yaml.safe_load(file.read_text())["groups"]]
    assert yaml.safe_load(generate.RULE.read_text())["spec"]["groups"] == groups


def test_what_watches_it_names_its_ports_and_every_dashboard(base):
    monitor = yaml.safe_load((MONITORING / "podmonitor.yaml").read_text())["spec"]
    pod = base["Deployment"]["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert monitor["podMetricsEndpoints"][0]["port"] == "metrics"
    # Alerts and dashboards ask for this job.
    assert pod["metadata"]["labels"][monitor["jobLabel"]] == "weir"
    made = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())
    named = {(MONITORING / path).resolve() for path in made["configMapGenerator"][0]["files"]}
    assert named == set((REPOSITORY / "grafana" / "dashboards").glob("*.json"))
    # An older kubectl has neither this option nor folders among the resources.
    if "--load-restrictor" in run(tool("kubectl"), "kustomize", "--help").stdout:
        kinds = [document["kind"] for document in rendered(MONITORING, "--load-restrictor", "LoadRestrictionsNone")]
        assert sorted(kinds) == ["ConfigMap", "ConfigMap", "Deployment", "PodMonitor", "PrometheusRule", "Service"]
