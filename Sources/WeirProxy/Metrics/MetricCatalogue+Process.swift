import WeirExporter
import WeirMetrics

// MARK: The process

extension MetricCatalogue {
    static let connectionsActive = MetricFamily.gauge("connections_active", "TCP connections of the whole process.")
    static let connectionsLimit = MetricFamily.gauge(
        "connections_limit", "TCP connections that the process may have; at the limit listeners pause.")
    static let buildInfo = MetricFamily.gauge(
        "build_info", "1, with what this program was built from.", [.version, .revision, .swift])
    static let reloads = MetricFamily.counter(
        "config_reloads_total", "Reloads of the configuration.", [.of("result", ["success", "failure"])])
    static let lastReloadSuccessful = MetricFamily.gauge(
        "config_last_reload_successful", "1 where the last reload, or the start, took the file; 0 where it did not.")
    static let lastReloadTime = MetricFamily.gauge(
        "config_last_reload_success_timestamp_seconds", "When a configuration was last taken.", unit: "seconds",
        scale: .millisecondsAsSeconds)
    static let listRules = MetricFamily.gauge(
        "acl_list_rules", "Rules of each list file that access rules name, as it is in force.", [.list])
    static let logLinesDropped = MetricFamily.counter(
        "log_lines_dropped_total", "Log lines dropped because their reader was too slow.")
    static let seriesDropped = MetricFamily.counter(
        "metrics_series_dropped_total", "Lines of this page that exporter.max_series left no room for.")

    static let wholeProcess = [
        connectionsActive, connectionsLimit, buildInfo, reloads, lastReloadSuccessful, lastReloadTime,
        listRules, logLinesDropped, seriesDropped,
    ]
}

// MARK: Event loops

extension MetricCatalogue {
    static let loopTurns = MetricFamily.counter(
        "event_loop_turns_total", "Turns of a worker's event loop; an idle one still turns every second.", [.worker])
    static let loopBusy = MetricFamily.counter(
        "event_loop_busy_seconds_total", "Time that a worker spent working, waiting excluded.", [.worker],
        unit: "seconds", scale: .nanosecondsAsSeconds)
    static let loopLag = MetricFamily.histogram(
        "event_loop_lag_seconds", "How late due timers ran.", [.worker], microseconds: Buckets.lag)

    static let loops = [loopTurns, loopBusy, loopLag]
}

// MARK: Exporter

extension MetricCatalogue {
    static let exporterRequests = MetricFamily.counter(
        "exporter_requests_total", "Requests answered by the exporter.", [.of("code", HTTPStatus.self)])
    static let exporterScrapeDuration = MetricFamily.histogram(
        "exporter_scrape_duration_seconds", "Time to render and compress a page.",
        [.of("format", ExpositionFormat.self)], microseconds: Buckets.scrape)
    static let exporterResponseBytes = MetricFamily.counter(
        "exporter_response_bytes_total", "Bytes of answers, heads included.",
        [.of("encoding", ContentEncoding.self)], unit: "bytes")
    static let exporterSeries = MetricFamily.gauge("exporter_series", "Series lines of the last page.")

    static let exporter = [exporterRequests, exporterScrapeDuration, exporterResponseBytes, exporterSeries]
}

// MARK: What Prometheus client libraries call the process

extension MetricCatalogue {
    static let processCPU = MetricFamily.counter(
        "process_cpu_seconds_total", "User and system CPU time spent.", unit: "seconds",
        scale: .nanosecondsAsSeconds, prefix: "")
    static let processOpenDescriptors = MetricFamily.gauge(
        "process_open_fds", "Open file descriptors.", prefix: "")
    static let processMaxDescriptors = MetricFamily.gauge(
        "process_max_fds", "File descriptors that may be open.", prefix: "")
    static let processResident = MetricFamily.gauge(
        "process_resident_memory_bytes", "Resident memory.", unit: "bytes", prefix: "")
    static let processVirtual = MetricFamily.gauge(
        "process_virtual_memory_bytes", "Virtual memory.", unit: "bytes", prefix: "")
    static let processStart = MetricFamily.gauge(
        "process_start_time_seconds", "When the process started.", unit: "seconds", scale: .millisecondsAsSeconds,
        prefix: "")
    static let processThreads = MetricFamily.gauge("process_threads", "Threads.", prefix: "")

    static let standard = [
        processCPU, processOpenDescriptors, processMaxDescriptors, processResident, processVirtual, processStart,
        processThreads,
    ]
}
