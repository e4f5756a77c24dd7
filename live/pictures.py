"""Takes the pictures of the live page in docs/images/: run it as scripts/pictures.

`live-desktop.png` and `live-phone.png` show the page of `weir demo`, as a browser draws it after three minutes.
"""

import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "Tests" / "ObservabilityTests"))

from browser import Browser  # noqa: E402
from support import Process, free_port, free_ports, http, wait_until, weir  # noqa: E402

IMAGES = REPOSITORY / "docs" / "images"
SECONDS = 190


def main():
    exporter, base = free_port(), free_ports(100)
    url = f"http://127.0.0.1:{exporter}/"
    with tempfile.TemporaryDirectory() as folder, Process(
            Path(folder), weir(), "demo", "--exporter", f"127.0.0.1:{exporter}", "--base-port", str(base)) as demo, Browser() as browser:
        wait_until("the demo is ready", lambda: demo.check() or http(url + "readyz")[0] == 200, 60)
        browser.open(url, 1280, 1000)
        time.sleep(SECONDS)
        (IMAGES / "live-desktop.png").write_bytes(browser.picture(1000))
        browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        wait_until("it is drawn anew", lambda: browser.value("innerWidth") == 390)
        (IMAGES / "live-phone.png").write_bytes(browser.picture(1100))
        assert browser.complaints() == [], browser.complaints()


if __name__ == "__main__":
    main()
