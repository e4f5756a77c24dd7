"""Chromium without a window, driven over a pipe by its DevTools protocol: no port, no driver and no package."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from support import REPOSITORY, tool, wait_until

FONTS = REPOSITORY / ".test-servers/root/usr/share/fonts"
# Chromium asks its maker for updates, lists and clocks. It reaches this machine only, and says so where it tries more.
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--no-pings",
    "--disable-dev-shm-usage", "--force-color-profile=srgb", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)


class Browser:
    """A browser with a profile of its own, and in it one page."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-browser-"))
        fonts = self.folder / "fonts.conf"
        aliases = "".join(
            f"<alias binding='strong'><family>{family}</family><prefer><family>{font}</family></prefer></alias>"
            for family, font in (("system-ui", "Roboto"), ("sans-serif", "Roboto"), ("Sans", "Roboto"), ("monospace", "DejaVu Sans Mono")))
        fonts.write_text(f"<fontconfig><dir>{FONTS}</dir><dir>/usr/share/fonts</dir><cachedir>{self.folder}</cachedir>{aliases}"
                         "</fontconfig>")
        (child_reads, self.output), (self.input, child_writes) = os.pipe(), os.pipe()

        def to_numbers():
            # 3 and 4 may be one of the two: they move out of the way first.
            reads, writes = os.dup(child_reads), os.dup(child_writes)
            while min(reads, writes) < 5:
                reads, writes = os.dup(reads), os.dup(writes)
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", tool("chromium-headless-shell"), *OPTIONS,
             f"--user-data-dir={self.folder}/profile", "about:blank"],
            preexec_fn=to_numbers, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("wb"), env=os.environ | {"FONTCONFIG_FILE": str(fonts), "HOME": str(self.folder)})
        os.close(child_reads)
        os.close(child_writes)
        self.number, self.buffer, self.answers, self.events = 0, b"", {}, []
        self.session = None
        target = wait_until("the browser has a page", self._page, 60)
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def _page(self):
        targets = self.call("Target.getTargets")["targetInfos"]
        return next((target["targetId"] for target in targets if target["type"] == "page"), None)

    def call(self, method: str, **parameters) -> dict:
        """Sends a command and waits for its answer; events that come meanwhile are kept."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 60
        while number not in self.answers:
            self._read(end)
        answer = self.answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _read(self, end: float):
        ready, _, _ = select.select([self.input], [], [], max(0, end - time.monotonic()))
        data = os.read(self.input, 1 << 20) if ready else b""
        assert data, f"the browser is silent: {(self.folder / 'log').read_text(errors='replace')[-2000:]}"
        *messages, self.buffer = (self.buffer + data).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.events.append(message)

    # What a test asks for.

    def open(self, url: str, width: int = 1280, height: int = 900, phone: bool = False, dark: bool = False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1,
                  mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=url)

    def value(self, expression: str):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def text(self, selector: str) -> str:
        return self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def requests(self) -> list[str]:
        """The addresses that pages have asked for since the start."""
        self.value("0")
        return [event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """Exceptions, errors of the console, and breaches of a policy."""
        self.value("0")
        found = []
        for event in self.events:
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(event["params"]["exceptionDetails"])[:600])
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found

    def picture(self, height: int | None = None) -> bytes:
        """The page as PNG: what is seen, or its upper part of this height."""
        clip = {}
        if height:
            size = self.call("Page.getLayoutMetrics")["cssLayoutViewport"]
            clip = {"clip": {"x": 0, "y": 0, "width": size["clientWidth"], "height": height, "scale": 1}, "captureBeyondViewport": True}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **clip)["data"])

    def stop(self):
        self.process.kill()
        self.process.wait()
        os.close(self.output)
        os.close(self.input)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
