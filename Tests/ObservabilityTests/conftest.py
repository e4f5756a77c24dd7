"""Makes the modules beside the tests importable, deselects the long tests unless they are asked for, and makes once in
a session all that takes minutes.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import machines  # noqa: E402
import support  # noqa: E402 (puts grafana/ on the path)


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; runs with WEIR_LONG_TESTS=true (scripts/test --full)")


def pytest_collection_modifyitems(config, items):
    """Deselected, not skipped: a skipped test is a failure in continuous integration."""
    if os.environ.get("WEIR_LONG_TESTS") == "true":
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def program() -> str:
    """The program that packages and images hold: optimized, with Swift's library linked in."""
    return machines.built_program()


@pytest.fixture(scope="session")
def packages(program, tmp_path_factory):
    """Debian packages of an old and a new version."""
    folder = tmp_path_factory.mktemp("packages")
    for version in ("0.1.9", "0.2.0"):
        made = support.package(program, folder, version)
        assert made.returncode == 0, made.stdout + made.stderr
    return folder


@pytest.fixture(scope="session")
def debian(tmp_path_factory):
    """The file system of a minimal Debian. Tests write into copies of it."""
    folder = tmp_path_factory.mktemp("debian") / "root"
    machines.bootstrap(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def engine(debian, tmp_path_factory):
    """A Docker engine with Debian's image, the network `tests`, and in it a host `upstream` that echoes at port 7."""
    made = machines.Engine(tmp_path_factory.mktemp("engine"))
    try:
        made.import_image(debian, machines.DEBIAN)
        made.docker("network", "create", "tests")
        made.container(machines.DEBIAN, "perl", "-e", machines.ECHO, options=machines.in_network("upstream"))
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def image(engine, program, tmp_path_factory):
    """The image of the project's Dockerfile."""
    return machines.build_image(engine, program, tmp_path_factory.mktemp("compiler"))


@pytest.fixture
def say(capsys):
    """Prints a line of a figure that no test judges."""
    def printed(text: str):
        with capsys.disabled():
            print(f"\n    {text}", end="")
    return printed
