"""The programs that the benchmark uses, and what machine it runs on."""

import datetime
import os
import platform
import re
import shutil
import subprocess
import time

import accounting

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNPACKED = os.path.join(REPOSITORY, ".test-servers")


class Failure(Exception):
    """Something did not work. It costs one figure, not the report."""


def locate(program):
    """The path of a program: the one that scripts/setup-tools unpacked, or else the installed one."""
    unpacked = os.path.join(UNPACKED, "bin", program)
    if os.access(unpacked, os.X_OK):
        return unpacked
    folders = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(program, path=folders)
    if found is None:
        raise Failure(f"{program} is not installed")
    return found


def stream_module():
    """The loadable stream module of Debian's nginx."""
    for root in (os.path.join(UNPACKED, "root"), "/"):
        path = os.path.join(root, "usr/lib/nginx/modules/ngx_stream_module.so")
        if os.path.exists(path):
            return path
    raise Failure("nginx's stream module is not installed (libnginx-mod-stream)")


def version(program, *arguments):
    """The version number that a program prints about itself, or `?`."""
    try:
        done = subprocess.run([locate(program), *arguments], capture_output=True, text=True, timeout=10)
    except (Failure, OSError, subprocess.TimeoutExpired):
        return "?"
    found = re.search(r"\d+\.\d+[\w.+~-]*", done.stdout + done.stderr)
    return found.group(0) if found else "?"


def weir_version():
    """The commit of the checkout, marked when files differ from it."""
    try:
        done = subprocess.run(
            ["git", "-C", REPOSITORY, "describe", "--always", "--dirty"], capture_output=True, text=True, timeout=10
        )
        return done.stdout.strip() or "?"
    except (OSError, subprocess.TimeoutExpired):
        return "?"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
        for line in info:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def memory_bytes():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def cores():
    return len(os.sched_getaffinity(0))


def machine():
    """What a reader needs to judge the figures, as pairs of name and value."""
    before = accounting.machine_busy_seconds()
    time.sleep(1)
    busy = (accounting.machine_busy_seconds() - before) / cores()
    return [
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("processor", f"{processor()}, {cores()} cores, {memory_bytes() / 2**30:.0f} GiB"),
        ("kernel", platform.release()),
        ("nginx", version("nginx", "-v")),
        ("HAProxy", version("haproxy", "-v")),
        ("Weir", weir_version()),
        ("busy before the start", f"{busy:.0%}" + (" (not idle: distrust the figures)" if busy > 0.05 else "")),
    ]
