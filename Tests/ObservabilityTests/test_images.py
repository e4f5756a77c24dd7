"""docker-compose.yml and Dockerfile, as far as they can be read without a Docker engine."""

import re

import pytest
import yaml

from support import GRAFANA, PROMETHEUS, REPOSITORY, run, tool, weir

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
# The ports on which the other programs listen unless told otherwise.
OWN_PORTS = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000}


def weir_configuration() -> dict:
    return yaml.safe_load((REPOSITORY / "Examples" / "compose" / "weir.yml").read_text())


def mounts() -> list[tuple[str, str, str]]:
    found = []
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, target, *options = volume.split(":")
            found.append((name, source, target))
            assert not source.startswith(".") or options == ["ro"], f"{volume} may be written to"
    return found


def published() -> list[tuple[str, str, int, int, str]]:
    """Service, address, port of the host, port of the container, protocol."""
    found = []
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            match = re.fullmatch(r"([\d.]+):(\d+):(\d+)/(tcp|udp)", port)
            assert match, f"{port} does not say all of address, ports and protocol"
            found.append((name, match[1], int(match[2]), int(match[3]), match[4]))
    return found


def test_docker_compose_takes_the_file():
    checked = run(tool("docker-compose"), "-f", str(REPOSITORY / "docker-compose.yml"), "config", cwd=REPOSITORY)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert set(yaml.safe_load(checked.stdout)["services"]) == set(SERVICES)


def test_every_mounted_file_exists_and_every_volume_is_declared():
    for service, source, _ in mounts():
        if source.startswith("."):
            assert (REPOSITORY / source).exists(), f"{service} mounts {source}"
        elif source.startswith("/"):
            # The engine's socket is for the proxy alone, whose network has no other service than the one that asks.
            assert (service, source) == ("socket-proxy", "/var/run/docker.sock")
            assert [name for name, other in SERVICES.items() if "socket" in other.get("networks", [])] == [
                "socket-proxy", "labels"]
        else:
            assert source in COMPOSE["volumes"]


def test_paths_inside_of_the_containers_are_mounted_files():
    targets = {(service, target): source for service, source, target in mounts()}
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    folder = REPOSITORY / targets["grafana", "/etc/grafana/dashboards"]
    assert home == "/etc/grafana/dashboards/weir-overview.json" and (folder / "weir-overview.json").exists()
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "weir.yml").read_text())["providers"][0]
    assert ("grafana", provider["options"]["path"]) in targets
    command = SERVICES["weir"]["command"]
    assert command[-1].startswith("/etc/weir/")
    assert (REPOSITORY / targets["weir", "/etc/weir"] / command[-1].removeprefix("/etc/weir/")).exists()
    prometheus = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    files = [one["files"] for job in prometheus["scrape_configs"] for one in job["file_sd_configs"]]
    files += [one["files"] for manager in prometheus["alerting"]["alertmanagers"] for one in manager["file_sd_configs"]]
    for name in [name for names in files for name in names]:
        assert (PROMETHEUS / name).exists(), "on a host"
        folder, file = name.split("/")
        assert (REPOSITORY / targets["prometheus", f"/etc/prometheus/{folder}"] / file).exists(), "in compose"


def test_every_published_port_is_listened_on():
    routes = weir_configuration()["routes"].values()
    listening = {(route["scheme"][:3], int(route["port"].split(":")[0])) for route in routes}
    assert {(protocol, port) for name, _, _, port, protocol in published() if name == "weir"} == listening
    labels = yaml.safe_load((REPOSITORY / "Examples" / "compose" / "labels.yml").read_text())
    assert [port for name, _, _, port, _ in published() if name == "labels"] == labels["docker"]["listen_ports"]
    assert SERVICES["echo"]["labels"] == {"weir.echo.port": f"{labels['docker']['listen_ports'][0]}:7"}
    agent = yaml.safe_load((REPOSITORY / "Examples" / "compose" / "agent" / "agent.yml").read_text())["agent"]
    # The port of agents, unless its file says another one.
    assert [port for name, _, _, port, _ in published() if name == "agent"] == [8890] and "listen" not in agent
    for name, _, _, port, protocol in published():
        if name not in ("weir", "labels", "agent"):
            assert port == OWN_PORTS[name] and protocol == "tcp"
    hosts = [(port, protocol) for _, _, port, _, protocol in published()]
    assert len(set(hosts)) == len(hosts), "a port of the host is taken twice"


def test_nothing_is_published_to_the_world_and_the_exporter_not_at_all():
    assert all(address == "127.0.0.1" for _, address, _, _, _ in published())
    exporter = int(weir_configuration()["exporter"]["listen"].split(":")[1])
    for name in ("weir", "demo", "labels", "agent"):
        assert SERVICES[name]["expose"] == [str(exporter)]
    assert exporter not in [port for name, _, _, port, _ in published() if name in ("weir", "demo", "labels")]
    assert f"0.0.0.0:{exporter}" in SERVICES["demo"]["command"]
    assert f"\nEXPOSE {exporter}\n" in DOCKERFILE


@pytest.mark.parametrize("name", ["weir", "alertmanager"])
def test_targets_are_services_and_their_ports(name):
    exporter = int(weir_configuration()["exporter"]["listen"].split(":")[1])
    targets = yaml.safe_load((PROMETHEUS / "targets" / "compose" / f"{name}.yml").read_text())[0]["targets"]
    expected = {"weir": {f"weir:{exporter}", f"demo:{exporter}"}, "alertmanager": {"alertmanager:9093"}}
    assert set(targets) == expected[name]


def test_grafana_asks_the_prometheus_of_the_same_file():
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == f"http://prometheus:{OWN_PORTS['prometheus']}" and source["isDefault"]
    interval = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval


def test_images_are_pinned_and_every_service_has_a_health_check():
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":")[2]
        assert tag not in ("", "latest") and "/" not in tag, service["image"]
        has_own = name == "weir" and "HEALTHCHECK" in DOCKERFILE
        assert has_own or service["healthcheck"]["test"][0] == "CMD"
    sdk = re.search(r"grafana-foundation-sdk==\d+!(\S+)", (REPOSITORY / "Tests/ObservabilityTests/requirements.txt").read_text())
    assert SERVICES["grafana"]["image"] == f"grafana/grafana:{sdk[1]}"


def test_services_can_write_nowhere_and_have_no_capability():
    for name, service in SERVICES.items():
        assert service.get("read_only") is True and service.get("cap_drop") == ["ALL"], name
        assert service.get("security_opt") == ["no-new-privileges:true"], name
        assert not service.get("privileged") and "cap_add" not in service and "network_mode" not in service, name


def test_there_is_no_secret_in_the_file():
    text = (REPOSITORY / "docker-compose.yml").read_text()
    assert not re.search(r"(?i)\w*(password|secret|token|api_?key)\w*\s*[:=]\s*\S", text)


@pytest.mark.parametrize("name", ["weir", "labels"])
def test_weir_accepts_the_configuration_that_compose_mounts(name):
    checked = run(weir(), "check", "--config", str(REPOSITORY / "Examples" / "compose" / f"{name}.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_image_runs_as_an_ordinary_user_and_says_how_it_is():
    build, runtime = DOCKERFILE.split("\nFROM debian:bookworm-slim\n")
    assert "FROM swift:6.3-bookworm AS build" in build and "--static-swift-stdlib" in build
    assert "install -D -s" in build and "stat -c" in build, "stripped, its size reported"
    assert re.search(r"^USER 10001:10001$", runtime, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .* CMD \["weir", "health"\]$', runtime, re.MULTILINE)
    for line in ("EXPOSE 9847", "STOPSIGNAL SIGTERM", 'ENTRYPOINT ["weir"]', 'CMD ["run"]'):
        assert f"\n{line}\n" in runtime
    assert "-dev" not in runtime
