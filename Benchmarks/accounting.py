"""What /proc says about time and memory."""

import os
from dataclasses import dataclass

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def _stat_fields(pid):
    """The fields of /proc/PID/stat behind the name, which may hold blanks and brackets."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()


def tree(root):
    """The process and all its living descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(_stat_fields(name)[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid and child not in found)
    return found


def start_of(pid):
    """When the process began, in ticks since the machine did; with the number it names a process for good."""
    try:
        return int(_stat_fields(pid)[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu_seconds(pids):
    """User and system time of the processes, with all their threads, finished ones included."""
    ticks = 0
    for pid in pids:
        fields = _stat_fields(pid)
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def precise_cpu_seconds(pids):
    """The same in nanosecond steps, for short work. Threads that ended in between are not counted."""
    nanoseconds = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as stat:
                nanoseconds += int(stat.read().split()[0])
    return nanoseconds / 1e9


def machine_busy_seconds():
    """Time in which the cores of this machine worked, kernel threads and interrupts included."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in stat.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND


def resident_bytes(pids):
    """Resident memory of the processes. The roll-up is exact; the figure in statm lags behind by some pages."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                total += next(int(line.split()[1]) for line in rollup if line.startswith("Rss:")) * 1024
        except (FileNotFoundError, PermissionError):
            with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
                total += int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


@dataclass
class Reading:
    """One look at the clocks; the difference of two is the cost of what happened in between."""

    proxy_seconds: float
    busy_seconds: float

    @classmethod
    def take(cls, pids):
        return cls(cpu_seconds(pids), machine_busy_seconds())

    def since(self, earlier):
        return Reading(self.proxy_seconds - earlier.proxy_seconds, self.busy_seconds - earlier.busy_seconds)
