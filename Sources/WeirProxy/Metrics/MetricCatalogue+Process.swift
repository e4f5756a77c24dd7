import WeirExporter
import WeirMetrics

// MARK: The process

extension MetricCatalogue {
    static let ready = MetricDeclaration.gauge(
        "ready", "1 while every route is bound and serves, as /readyz says; 0 before that and while it drains.")
    static let connectionsActive = MetricDeclaration.gauge(
        "connections_active", "TCP connections of the whole process.")
    static let connectionsLimit = MetricDeclaration.gauge(
        "connections_limit",
        "TCP connections that the process may have; at the limit listeners pause. `limits.max_connections` changes it at "
            + "a restart only.")
    static let buildInfo = MetricDeclaration.gauge(
        "build_info", "1, with what this program was built from.", [.version, .revision, .swift])
    static let reloads = MetricDeclaration.counter(
        "config_reloads_total", "Reloads of the configuration.", [.of("result", ["success", "failure"])])
    static let lastReloadSuccessful = MetricDeclaration.gauge(
        "config_last_reload_successful", "1 where the last reload, or the start, took the file; 0 where it did not.")
    static let lastReloadTime = MetricDeclaration.gauge(
        "config_last_reload_success_timestamp_seconds", "When a configuration was last taken.", unit: "seconds",
        scale: .millisecondsAsSeconds)
    static let listRules = MetricDeclaration.gauge(
        "acl_list_rules", "Rules of each list file that access rules name, as it is in force.", [.list])
    static let logLinesDropped = MetricDeclaration.counter(
        "log_lines_dropped_total",
        "Log lines dropped: a reader too slow, a full disk, or too many clients for the access log.")
    static let seriesDropped = MetricDeclaration.counter(
        "metrics_series_dropped_total", "Lines of this page that exporter.max_series left no room for.")

    static let adminRequests = MetricDeclaration.counter(
        "admin_requests_total", "Requests answered at the admin socket, where there is one.",
        [.of("code", AdminAnswer.Code.self)])

    static let wholeProcess = [
        ready, connectionsActive, connectionsLimit, buildInfo, reloads, lastReloadSuccessful, lastReloadTime,
        listRules, logLinesDropped, seriesDropped, adminRequests,
    ]
}

// MARK: Event loops

extension MetricCatalogue {
    static let loopTurns = MetricDeclaration.counter(
        "event_loop_turns_total", "Turns of a worker's event loop; an idle one still turns every second.", [.worker])
    static let loopBusy = MetricDeclaration.counter(
        "event_loop_busy_seconds_total", "Time that a worker spent working, waiting excluded.", [.worker],
        unit: "seconds", scale: .nanosecondsAsSeconds)
    static let loopLag = MetricDeclaration.histogram(
        "event_loop_lag_seconds", "How late due timers ran.", [.worker], microseconds: Buckets.lag)

    static let loops = [loopTurns, loopBusy, loopLag]
}

// MARK: Exporter

extension MetricCatalogue {
    static let exporterRequests = MetricDeclaration.counter(
        "exporter_requests_total", "Requests answered by the exporter.", [.of("code", HTTPStatus.self)])
    static let exporterScrapeDuration = MetricDeclaration.histogram(
        "exporter_scrape_duration_seconds", "Time to render and compress a page.",
        [.of("format", ExpositionFormat.self)], microseconds: Buckets.scrape)
    static let exporterResponseBytes = MetricDeclaration.counter(
        "exporter_response_bytes_total", "Bytes of answers, heads included.",
        [.of("encoding", ContentEncoding.self)], unit: "bytes")
    static let exporterSeries = MetricDeclaration.gauge("exporter_series", "Series lines of the last page.")

    static let exporterAbandonedPasswords = MetricDeclaration.counter(
        "exporter_passwords_abandoned_total",
        "Clients that closed their connection while their password was checked; each attempt is charged.")

    static let exporter = [
        exporterRequests, exporterScrapeDuration, exporterResponseBytes, exporterSeries, exporterAbandonedPasswords,
    ]
}

// MARK: What Prometheus client libraries call the process

extension MetricCatalogue {
    static let processCPU = MetricDeclaration.counter(
        "process_cpu_seconds_total", "User and system CPU time spent.", unit: "seconds",
        scale: .nanosecondsAsSeconds, prefix: "")
    static let processOpenDescriptors = MetricDeclaration.gauge(
        "process_open_fds", "Open file descriptors.", prefix: "")
    static let processMaxDescriptors = MetricDeclaration.gauge(
        "process_max_fds", "File descriptors that may be open.", prefix: "")
    static let processResident = MetricDeclaration.gauge(
        "process_resident_memory_bytes", "Resident memory.", unit: "bytes", prefix: "")
    static let processVirtual = MetricDeclaration.gauge(
        "process_virtual_memory_bytes", "Virtual memory.", unit: "bytes", prefix: "")
    static let processStart = MetricDeclaration.gauge(
        "process_start_time_seconds", "When the process started.", unit: "seconds", scale: .millisecondsAsSeconds,
        prefix: "")
    static let processThreads = MetricDeclaration.gauge("process_threads", "Threads.", prefix: "")

    static let standard = [
        processCPU, processOpenDescriptors, processMaxDescriptors, processResident, processVirtual, processStart,
        processThreads,
    ]
}
