"""Weir runtime and exporter: the process itself."""

from .panel import (
    EVENT, NONE_IS_GOOD, NONZERO, ONE_IS_BAD, ONE_IS_GOOD, SHARE_OF_LIMIT, ZERO, Dashboard, Panel, Row, q,
)

ANSWERS = Row("", (
    Panel("Up", "stat", "short", NONZERO, (q("sum(up{@} KNOWN) or vector(0)"),),
          "Instances that Prometheus can scrape.", 4, 4, ONE_IS_GOOD),
    Panel("Uptime of the youngest", "stat", "s", NONZERO, (q("time() - max(process_start_time_seconds{@} OURS)"),),
          "Since the last start of any instance.", 4, 4),
    Panel("Configuration refused", "stat", "short", EVENT,
          (q("count(weir_config_last_reload_successful{@} == 0) or vector(0)"),),
          "Instances whose last reload failed; the old configuration is in force there.", 4, 4, ONE_IS_BAD),
    Panel("Since the last good reload", "stat", "s", NONZERO,
          (q("time() - max(weir_config_last_reload_success_timestamp_seconds{@})"),),
          "When any instance last took a configuration.", 4, 4),
    Panel("Series dropped", "stat", "short", ZERO, (q("sum(increase(weir_metrics_series_dropped_total{@}~))"),),
          "Lines that exporter.max_series left no room for.", 4, 4, NONE_IS_GOOD),
    Panel("Log lines dropped", "stat", "short", ZERO, (q("sum(increase(weir_log_lines_dropped_total{@}~))"),),
          "Lines dropped because their reader was too slow.", 4, 4, NONE_IS_GOOD),
    Panel("CPU", "lines", "percentunit", NONZERO,
          (q("rate(process_cpu_seconds_total{@}~) OURS", "{{instance}} {{cluster}}"),),
          "User and system time; 100 % is one core."),
    Panel("Resident memory", "lines", "bytes", NONZERO,
          (q("process_resident_memory_bytes{@} OURS", "{{instance}} {{cluster}}"),), "Memory that the process holds."),
    Panel("Descriptors", "lines", "short", NONZERO,
          (q("process_open_fds{@} OURS", "{{instance}} open {{cluster}}"),
           q("process_max_fds{@} OURS", "{{instance}} limit {{cluster}}")),
          "Open file descriptors and their limit."),
    Panel("Workers busy", "lines", "percentunit", NONZERO,
          (q("rate(weir_event_loop_busy_seconds_total{@}~)", "{{instance}} {{worker}} {{cluster}}"),),
          "Share of the time that a worker works; at 100 % it never waits.", thresholds=SHARE_OF_LIMIT, maximum=1),
    Panel("Turns of the event loops", "lines", "cps", NONZERO,
          (q("rate(weir_event_loop_turns_total{@}~)", "{{instance}} {{worker}} {{cluster}}"),),
          "An idle worker still turns every second; 0 is a worker that stands still.",
          thresholds=((None, "red"), (0.5, "green"))),
    Panel("Event loop lag", "heatmap", "s", NONZERO,
          (q("sum by (le) (increase(weir_event_loop_lag_seconds_bucket{@}~))", "{{le}}"),), "How late due timers ran."),
))

PROCESS = Row("Process", (
    Panel("Virtual memory", "lines", "bytes", NONZERO,
          (q("process_virtual_memory_bytes{@} OURS", "{{instance}} {{cluster}}"),),
          "Address space; much of it is never touched."),
    Panel("Threads", "lines", "short", NONZERO, (q("process_threads{@} OURS", "{{instance}} {{cluster}}"),),
          "Workers, exporter, log, look-ups."),
    Panel("Starts", "lines", "short", ZERO,
          (q("changes(process_start_time_seconds{@}~) OURS", "{{instance}} {{cluster}}"),),
          "Restarts.", thresholds=ONE_IS_BAD),
    Panel("Reloads by result", "lines", "short", EVENT,
          (q("increase(weir_config_reloads_total{@}~)", "{{instance}} {{result}} {{cluster}}"),),
          "Reloads of the configuration.", 12),
    Panel("Routes", "lines", "short", NONZERO,
          (q("sum without (route, listen) (weir_route_info{@})", "{{instance}} {{protocol}} {{cluster}}"),),
          "Configured routes.", 12),
    Panel("Rules of list files", "lines", "short", ZERO,
          (q("weir_acl_list_rules{@} or on () vector(0)", "{{instance}} {{list}} {{cluster}}"),),
          "Rules of each list file in force; 0 without lists. A fall lets in clients that it kept out.", 12),
))

EXPORTER = Row("Exporter", (
    Panel("Requests by code", "stack", "reqps", NONZERO,
          (q("rate(weir_exporter_requests_total{@}~) > 0", "{{instance}} {{code}} {{cluster}}"),),
          "Requests that the exporter answered."),
    Panel("Refused requests", "lines", "reqps", EVENT,
          (q('rate(weir_exporter_requests_total{@, code=~"4..|5.."}~)',
             "{{instance}} {{code}} {{cluster}}"),
           q("rate(weir_exporter_passwords_abandoned_total{@}~)", "{{instance}} left {{cluster}}")),
          "Requests with an error as their answer, and clients that left while their password was checked.", thresholds=NONE_IS_GOOD),
    Panel("Time to make a page, 99th percentile", "lines", "s", NONZERO,
          (q("histogram_quantile(0.99, sum without (format)"
             " (rate(weir_exporter_scrape_duration_seconds_bucket{@}~)))",
             "{{instance}} {{cluster}}"),),
          "Rendering and compressing. A scrape never runs on a worker."),
    Panel("Scrape duration", "lines", "s", NONZERO, (q("scrape_duration_seconds{@} OURS", "{{instance}} {{cluster}}"),),
          "The whole scrape as Prometheus sees it.", thresholds=((None, "green"), (1, "orange"), (5, "red"))),
    Panel("Response bytes", "lines", "Bps", NONZERO,
          (q("rate(weir_exporter_response_bytes_total{@}~)",
             "{{instance}} {{encoding}} {{cluster}}"),),
          "Answers, heads included."),
    Panel("Series", "lines", "short", NONZERO, (q("weir_exporter_series{@}", "{{instance}} {{cluster}}"),),
          "Lines of the last page."),
))

RUNTIME = Dashboard(
    "weir-runtime", "Weir runtime and exporter", "The process, its event loops and its exporter.",
    (ANSWERS, PROCESS, EXPORTER), has_routes=False)
