"""The table: one line per thing and measure, a column per proxy, and how Weir compares with the better peer."""

import statistics
from dataclasses import dataclass, field
from typing import Callable

HIGHER, LOWER = "higher", "lower"


@dataclass
class Line:
    """One measure of one row: for every proxy (by key) the values of all rounds."""

    what: str
    measure: str
    form: Callable[[float], str]
    # HIGHER, LOWER, or None where neither is better and no ratio belongs.
    better: str | None
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, proxy, value):
        self.values.setdefault(proxy, []).append(value)

    def median(self, proxy):
        found = self.values.get(proxy)
        return statistics.median(found) if found else None

    def ratio(self):
        """Weir's median over the better peer's."""
        own = self.median("weir")
        peers = [self.median(proxy) for proxy in self.values if proxy not in ("weir", "before")]
        if self.better is None or own is None or not peers:
            return None
        best = max(peers) if self.better == HIGHER else min(peers)
        return own / best if best else None

    def ratio_to_before(self):
        """The median of the ratios of both builds of Weir, round by round: a slow minute meets both."""
        pairs = list(zip(self.values.get("weir", []), self.values.get("before", [])))
        if not pairs or not all(before for _, before in pairs):
            return None
        return statistics.median(now / before for now, before in pairs)

    def spread(self):
        """The widest distance between the rounds of one proxy, as a share of its median."""
        if self.better is None:
            return None
        shares = []
        for proxy, values in self.values.items():
            middle = self.median(proxy)
            if len(values) > 1 and middle:
                shares.append((max(values) - min(values)) / middle)
        return max(shares, default=None)


@dataclass
class Report:
    lines: list[Line] = field(default_factory=list)
    # (what, proxy, reason), in the order in which they happened
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def line(self, what, measure, form, better=LOWER):
        line = Line(what, measure, form, better)
        self.lines.append(line)
        return line

    def fail(self, what, proxy, reason):
        self.failures.append((what, proxy, str(reason)))

    def markdown(self, machine, proxies, settings):
        """`proxies` maps keys to titles, in the order of the columns."""
        ratios = ["Weir ÷ better peer", *(["Weir ÷ before"] if "before" in proxies else [])]
        head = ["what", "measure", *proxies.values(), *ratios, "spread"]
        text = [f"- {name}: {value}" for name, value in machine]
        text += [f"- {settings}", "", _cells(head), _cells(["---", "---", *["---:"] * (len(head) - 2)])]
        last = None
        for line in self.lines:
            text.append(_cells([line.what if line.what != last else "", *self._row(line, proxies)]))
            last = line.what
        # What failed before it had a single line to show.
        for what in dict.fromkeys(what for what, _, _ in self.failures):
            if all(line.what != what for line in self.lines):
                text.append(_cells([what, "", *[self._absent(what, key) for key in proxies], *["–"] * (len(ratios) + 1)]))
        if self.failures:
            text += ["", "What failed (a proxy without any good round shows `failed`):", ""]
            text += [f"- {what}, {proxies.get(proxy, proxy)}: {reason}" for what, proxy, reason in self.failures]
        if self.remarks:
            text += ["", *[f"- {remark}" for remark in self.remarks]]
        return "\n".join(text) + "\n"

    def _row(self, line, proxies):
        cells = [line.measure]
        for proxy in proxies:
            middle = line.median(proxy)
            cells.append(self._absent(line.what, proxy) if middle is None else line.form(middle))
        cells.append(_ratio(line.ratio(), 2))
        if "before" in proxies:
            cells.append(_ratio(line.ratio_to_before(), 3))
        spread = line.spread()
        cells.append("–" if spread is None else f"{spread:.0%}")
        return cells

    def _absent(self, what, proxy):
        return "failed" if any(failure[:2] == (what, proxy) for failure in self.failures) else "–"


def _ratio(value, digits):
    return "–" if value is None else f"{value:.{digits}f}"


def _cells(texts):
    return "| " + " | ".join(texts) + " |"


def count(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def per_second(value):
    return f"{value:,.0f}/s"


def gigabits_from_gibibytes(value):
    return f"{value * 2**30 * 8 / 1e9:.2f} Gbit/s"


def duration(seconds):
    """Three digits with the unit that fits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def _three_digits(value):
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


def size(value):
    """Bytes, exactly where they are few."""
    if abs(value) < 10_000:
        return f"{value:,.0f} B"
    return f"{value / 2**10:,.0f} KiB" if abs(value) < 10 * 2**20 else f"{value / 2**20:,.1f} MiB"


def share(value):
    return f"{value:.2%}"
