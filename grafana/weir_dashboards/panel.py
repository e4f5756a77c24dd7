"""What a panel is, before it is Grafana's JSON."""

from dataclasses import dataclass, field

# Every query is for the chosen jobs and instances; most for the chosen routes, too.
INSTANCE = 'job=~"$job", instance=~"$instance"'
ROUTE = INSTANCE + ', route=~"$route"'
RATE = "[$__rate_interval]"
# Other programs have `up` and process metrics, too, and "All" does not leave out their jobs.
# `ignoring` names labels of Weir: all those of the targets are kept, as two clusters may share `job` and `instance`.
BUILD = "ignoring (version, revision, swift)"
OURS = f" and {BUILD} weir_build_info{{{INSTANCE}}}"
# The same for what is down now, too.
KNOWN = f" and {BUILD} last_over_time(weir_build_info{{{INSTANCE}}}[1d])"

# How the test against a real Prometheus proves a panel, because members that are exported at 0 from the start would
# make "it returns data" prove nothing.
NONZERO = "nonzero"  # shows more than 0 while the demo runs
ZERO = "zero"  # shows 0 while the demo runs, since nothing is wrong with it
EVENT = "event"  # shows what the test injects
MARKS = (NONZERO, ZERO, EVENT)

# Thresholds: pairs of value and color. The first has no value.
CALM = ((None, "green"),)
NONE_IS_GOOD = ((None, "green"), (1e-9, "orange"))
ONE_IS_BAD = ((None, "green"), (1, "red"))
ONE_IS_GOOD = ((None, "red"), (1, "green"))
SHARE_OF_LIMIT = ((None, "green"), (0.8, "orange"), (0.95, "red"))
SHARE_OF_FAILURES = ((None, "green"), (0.01, "orange"), (0.05, "red"))


# States of an upstream: pairs of text and color. The number of a state is its place, from 1 on.
STATES = (("up", "green"), ("draining", "blue"), ("ejected", "orange"), ("down", "red"))


@dataclass(frozen=True)
class Query:
    """One expression and the name of its series."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One line of a table of panels: `shape` is stat, lines, stack, bars, heatmap, states or table."""

    title: str
    shape: str
    unit: str
    mark: str
    queries: tuple[Query, ...]
    description: str
    width: int = 8
    height: int = 7
    thresholds: tuple = CALM
    maximum: float | None = None


@dataclass(frozen=True)
class Row:
    """A heading over the panels that follow it; without a title it is only a group."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """A dashboard with its pinned uid and the variables that it offers."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    has_routes: bool = True
    tags: tuple[str, ...] = field(default=("weir",))

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row.panels]


def q(expression: str, legend: str = "") -> Query:
    """A query. `@` stands for the chosen instances, `#` for the chosen routes, `~` behind a brace for the rate
    interval, `OURS` leaves only instances of Weir that answer, `KNOWN` those that are down, too."""
    for mark, text in {" OURS": OURS, " KNOWN": KNOWN, "}~": "}" + RATE, "@": INSTANCE, "#": ROUTE}.items():
        expression = expression.replace(mark, text)
    return Query(expression, legend)


def clients_not_served() -> Query:
    """The share of clients that no upstream could be had for: a failed dial that a retry made good is none of them."""
    lost = " + ".join(f"(sum(rate({counter}}}~)) or vector(0))" for counter in (
        'weir_tcp_connections_closed_total{#, reason="dial_failed"',
        'weir_tcp_connections_rejected_total{#, reason=~"no_upstream|upstream_limit"',
        'weir_udp_sessions_closed_total{#, reason="upstream_error"',
        'weir_udp_sessions_rejected_total{#, reason=~"no_upstream|upstream_limit"'))
    came = " + ".join(f"(sum(rate({counter}{{#}}~)) or vector(0))" for counter in (
        "weir_tcp_connections_accepted_total", "weir_udp_sessions_opened_total"))
    return q(f"({lost}) / (({came}) > 0)")


def states() -> Query:
    """The number of each upstream's state, as STATES has it; of a name with several addresses the worst."""
    each = " or ".join(
        f'{number} * (weir_upstream_members{{#, state="{state}"}} > bool 0)'
        for number, (state, _) in enumerate(STATES, 1))
    return q(f"max by (route, upstream) ({each})", "{{route}} → {{upstream}}")


def shares() -> tuple[Query, ...]:
    """The share of dials of each upstream of a set, and that of its weight beside those that are up and no backups."""
    dials = "rate(weir_dials_total{#}~) and weir_upstream_weight{#}"
    weights = 'weir_upstream_weight{#} * weir_upstream_up{#} and ignoring (backup) weir_upstream_info{#, backup="false"}'
    return tuple(
        q(f"sum by (route, protocol, upstream) ({of}) / ignoring (upstream) group_left ()"
          f" (sum by (route, protocol) ({of}) > 0)", "{{route}} → {{upstream}} " + name)
        for of, name in ((dials, "dials"), (weights, "weight")))


def quantiles(histogram: str, selector: str, by: str = "") -> tuple[Query, ...]:
    """Median, 95th and 99th percentile of a histogram."""
    labels = f"le, {by}" if by else "le"
    name = f" {{{{{by}}}}}" if by else ""
    return tuple(
        q(
            f"histogram_quantile(0.{share}, sum by ({labels}) (rate({histogram}_bucket{{{selector}}}~)))",
            f"p{share}{name}",
        )
        for share in (50, 95, 99)
    )
