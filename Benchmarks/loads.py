"""The load generators: each runs against one port for some seconds and says how much was done."""

import json
import os
import re
import subprocess
from dataclasses import dataclass

from processes import run
from tools import Failure, locate

CONNECTIONS = 64
DATAGRAM_BYTES = 1200
# Every program gets this much longer than its own running time before it counts as stuck.
GRACE_SECONDS = 15

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}

# Between two requests a connection pauses for 5 to 15 ms, so that about 6,000 requests per second arrive as long as
# answers take much less than that. wrk starts the clock of a request behind the pause.
_PAUSES = "function delay() return math.random(5, 15) end\n"


@dataclass
class Outcome:
    """What a load did: operations (requests, GiB, queries, datagrams), the time, and what came of it."""

    operations: float
    seconds: float
    p99_seconds: float | None = None
    lost_share: float | None = None


def together(commands, seconds):
    """Runs clients at once, which end by themselves after some seconds, and returns what each printed."""
    clients = [
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    try:
        return [client.communicate(timeout=seconds + GRACE_SECONDS)[0] for client in clients]
    except subprocess.TimeoutExpired as expired:
        program = os.path.basename(commands[0][0])
        raise Failure(f"{program} took longer than {seconds + GRACE_SECONDS} s") from expired
    finally:
        for client in clients:
            client.kill()
            client.wait()


def requests(port, path, seconds, headers=(), script=None, connections=CONNECTIONS, scheme="http"):
    """HTTP requests by wrk, one after the other on each connection."""
    arguments = [locate("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "5s"]
    for header in headers:
        arguments += ["-H", header]
    if script is not None:
        arguments += ["-s", script]
    return parse_wrk(run([*arguments, f"{scheme}://127.0.0.1:{port}{path}"], seconds + GRACE_SECONDS))


def parse_wrk(text):
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", text)
    if total is None or int(total[1]) == 0:
        raise Failure(f"wrk got no answers: {' | '.join(text.split(chr(10))[-4:])}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if refused is not None:
        raise Failure(f"{refused[1]} answers were errors")
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    if broken is not None and any(int(count) for count in broken.groups()):
        raise Failure(broken[0].replace("Socket errors", "socket errors"))
    p99 = re.search(r"^\s*99%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    return Outcome(
        operations=int(total[1]),
        seconds=float(total[2]) * _UNITS[total[3]],
        p99_seconds=float(p99[1]) * _UNITS[p99[2]] if p99 else None,
    )


def paced_requests(port, path, seconds, directory):
    """Requests at a rate that does not depend on the proxy, for comparing latencies."""
    script = os.path.join(directory, "pauses.lua")
    with open(script, "w", encoding="ascii") as file:
        file.write(_PAUSES)
    return requests(port, path, seconds, script=script)


def _iperf(port, seconds, *arguments):
    """The closing section of iperf3's report."""
    command = [locate("iperf3"), "-c", "127.0.0.1", "-p", str(port), "-t", str(seconds), "-J", *arguments]
    text = run(command, seconds + GRACE_SECONDS, accept_failure=True)
    try:
        report = json.loads(text)
    except ValueError as error:
        raise Failure("iperf3 printed no report") from error
    if "error" in report:
        raise Failure(f"iperf3: {report['error']}")
    return report["end"]


def stream(port, seconds, bits_per_second=0):
    """One TCP stream by iperf3, as fast as it can or at a rate; an operation is a GiB that arrived."""
    received = _iperf(port, seconds, "-b", str(bits_per_second))["sum_received"]
    return Outcome(operations=received["bytes"] / 2**30, seconds=received["seconds"])


def datagrams(port, seconds):
    """Datagrams by iperf3, as fast as it can; an operation is one that arrived."""
    total = _iperf(port, seconds, "-u", "-l", str(DATAGRAM_BYTES), "-b", "0")["sum"]
    arrived = total["packets"] - total["lost_packets"]
    if arrived <= 0:
        raise Failure(f"none of {total['packets']} datagrams arrived")
    return Outcome(
        operations=arrived, seconds=total["seconds"], lost_share=total["lost_packets"] / total["packets"]
    )


def queries(port, seconds, questions):
    """DNS questions by dnsperf from 32 sockets, at most 200 of them unanswered at a time."""
    command = [
        *(locate("dnsperf"), "-s", "127.0.0.1", "-p", str(port), "-d", questions, "-l", str(seconds)),
        *("-c", "32", "-q", "200", "-t", "1", "-T", "1"),
    ]
    text = run(command, seconds + GRACE_SECONDS)
    sent, completed, elapsed = (
        re.search(rf"{label}:\s+([\d.]+)", text) for label in ("Queries sent", "Queries completed", r"Run time \(s\)")
    )
    if not (sent and completed and elapsed) or int(completed[1]) == 0:
        raise Failure("dnsperf got no answers")
    return Outcome(
        operations=int(completed[1]),
        seconds=float(elapsed[1]),
        lost_share=1 - int(completed[1]) / int(sent[1]),
    )
