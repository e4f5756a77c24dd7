"""Makes the modules beside the tests importable, and deselects the long tests unless they are asked for."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import support  # noqa: E402,F401 (puts grafana/ on the path)


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
