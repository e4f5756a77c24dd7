#!/usr/bin/env python3
"""Writes grafana/dashboards/*.json from the tables of panels in weir_dashboards/.

    python grafana/generate.py            writes the files
    python grafana/generate.py --check    fails where a file is not what would be written

Needs the Grafana Foundation SDK (Tests/ObservabilityTests/requirements.txt); `scripts/setup-tools tests` puts it into
.test-servers/venv.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from weir_dashboards.agents import AGENTS_DASHBOARD
from weir_dashboards.build import build
from weir_dashboards.overview import OVERVIEW
from weir_dashboards.route import ROUTE_DASHBOARD
from weir_dashboards.runtime import RUNTIME

DASHBOARDS = (OVERVIEW, ROUTE_DASHBOARD, AGENTS_DASHBOARD, RUNTIME)
FOLDER = Path(__file__).parent / "dashboards"


def rendered() -> dict[str, str]:
    """The text of each file, by its name."""
    options = {"cls": JSONEncoder, "indent": 2, "sort_keys": True, "ensure_ascii": False}
    return {f"{table.uid}.json": json.dumps(build(table), **options) + "\n" for table in DASHBOARDS}


def main() -> int:
    files = rendered()
    present = {path.name for path in FOLDER.glob("*.json")}
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in files.items() if name not in present or (FOLDER / name).read_text() != text]
        stale += sorted(present - files.keys())
        for name in stale:
            print(f"grafana/dashboards/{name} is not what grafana/generate.py writes", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in present - files.keys():
        (FOLDER / name).unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
