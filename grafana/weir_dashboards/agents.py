"""Weir agents: the tunnels through which routes dial upstreams on other machines, as the proxy sees them."""

from .panel import NONE_IS_GOOD, ONE_IS_BAD, ZERO, Dashboard, Panel, Row, q

AGENTS = Row("", (
    Panel("Agents down", "stat", "short", ZERO, (q("count(weir_agent_up{@} == 0) or vector(0)"),),
          "Agents whose last probe found no tunnel to be had; they are dialed all the same.", 4, 4, ONE_IS_BAD),
    Panel("Agents", "stat", "short", ZERO, (q("count(weir_agent_up{@}) or vector(0)"),), "Agents that are probed.", 4, 4),
    Panel("Tunnels", "stat", "short", ZERO, (q("sum(weir_agent_tunnels_active{@}) or vector(0)"),),
          "Tunnels that carry a connection now.", 4, 4),
    Panel("Tunnels not had", "stat", "short", ZERO,
          (q("sum(increase(weir_agent_handshake_failures_total{@}~)) or vector(0)"),),
          "Dials that failed because of the agent or the way to it.", 4, 4, NONE_IS_GOOD),
    Panel("Destinations denied", "stat", "short", ZERO,
          (q('sum(increase(weir_dial_failures_total{@, reason="agent_denied"}~)) or vector(0)'),),
          "Dials that the list of an agent does not allow.", 4, 4, NONE_IS_GOOD),
    Panel("Nearest end of a certificate", "stat", "s", ZERO,
          (q("min(weir_tls_certificate_expiry_timestamp_seconds{@}) - time() or vector(0)"),),
          "Of all certificates, those shown to agents included.", 4, 4),
))

HANDSHAKES = Row("Tunnels", (
    Panel("Up", "lines", "short", ZERO,
          (q("weir_agent_up{@} or on () vector(0)", "{{instance}} {{agent}} {{protocol}} {{cluster}}"),),
          "1 where the last probe found the agent to take tunnels."),
    Panel("Tunnels that carry a connection", "lines", "short", ZERO,
          (q("weir_agent_tunnels_active{@} or on () vector(0)", "{{instance}} {{agent}} {{protocol}} {{cluster}}"),),
          "One for each connection of a client."),
    Panel("New tunnels", "lines", "cps", ZERO,
          (q("rate(weir_agent_handshakes_total{@}~) or on () vector(0)",
             "{{instance}} {{agent}} {{protocol}} resumed {{resumed}} {{cluster}}"),),
          "Tunnels that agents have taken; resumed ones cost a third."),
    Panel("Tunnels not had, by reason", "lines", "cps", ZERO,
          (q("rate(weir_agent_handshake_failures_total{@}~) > 0 or on () vector(0)",
             "{{instance}} {{agent}} {{protocol}} {{reason}} {{cluster}}"),),
          "Why dials failed with the reason `agent`.", thresholds=NONE_IS_GOOD),
    Panel("Time of a handshake, 99th percentile", "lines", "s", ZERO,
          (q("histogram_quantile(0.99, rate(weir_agent_handshake_duration_seconds_bucket{@}~)) or on () vector(0)",
             "{{instance}} {{agent}} {{protocol}} {{cluster}}"),),
          "TLS alone, without the agent's own dial."),
    Panel("Probes by result", "lines", "short", ZERO,
          (q("increase(weir_agent_probes_total{@}~) > 0 or on () vector(0)",
             "{{instance}} {{agent}} {{protocol}} {{result}} {{cluster}}"),),
          "What probes have found."),
))

AT_THE_AGENT = Row("At the agent", (
    Panel("Requests for tunnels by result", "lines", "cps", ZERO,
          (q("rate(weir_tunnel_requests_total{@}~) > 0 or on () vector(0)",
             "{{instance}} {{protocol}} {{result}} {{cluster}}"),),
          "What became of requests, where an instance is itself an agent."),
    Panel("Requests denied", "lines", "short", ZERO,
          (q('increase(weir_tunnel_requests_total{@, result="denied"}~) or on () vector(0)',
             "{{instance}} {{protocol}} {{cluster}}"),),
          "Destinations that the list of the agent does not have.", thresholds=NONE_IS_GOOD),
))

AGENTS_DASHBOARD = Dashboard(
    "weir-agents", "Weir agents", "Tunnels to agents on other machines: whether they can be had, and why not.",
    (AGENTS, HANDSHAKES, AT_THE_AGENT), has_routes=False)
