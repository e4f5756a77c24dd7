import Synchronization
import WeirMetrics
import WeirStream

/// The families of the whole process: connections, reloads, build, and what the system says of it. Most are set when a
/// page is made.
final class ProcessMetrics: Sendable {
    private let ready: Gauge
    private let connectionsActive: Gauge
    private let connectionsLimit: Gauge
    private let reloadSuccesses: Counter
    private let reloadFailures: Counter
    private let lastReloadSuccessful: Gauge
    private let lastReloadTime: Gauge
    private let logLinesDropped: Counter
    private let seriesDropped: Counter
    private let cpu: Counter
    private let openDescriptors: Gauge
    private let maxDescriptors: Gauge
    private let resident: Gauge
    private let virtual: Gauge
    private let threads: Gauge

    init(_ registry: MetricsRegistry) throws(RegistrationError) {
        typealias Catalogue = MetricCatalogue
        ready = try registry.gauge(Catalogue.ready.descriptor)
        connectionsActive = try registry.gauge(Catalogue.connectionsActive.descriptor)
        connectionsLimit = try registry.gauge(Catalogue.connectionsLimit.descriptor)
        let build = BuildInformation.current
        try registry.gauge(
            Catalogue.buildInfo.descriptor, labels: [build.version, build.revision, build.swift]
        ).set(1)
        reloadSuccesses = try registry.counter(Catalogue.reloads.descriptor, labels: ["success"])
        reloadFailures = try registry.counter(Catalogue.reloads.descriptor, labels: ["failure"])
        lastReloadSuccessful = try registry.gauge(Catalogue.lastReloadSuccessful.descriptor)
        lastReloadTime = try registry.gauge(Catalogue.lastReloadTime.descriptor)
        logLinesDropped = try registry.counter(Catalogue.logLinesDropped.descriptor)
        seriesDropped = try registry.counter(Catalogue.seriesDropped.descriptor)
        cpu = try registry.counter(Catalogue.processCPU.descriptor)
        openDescriptors = try registry.gauge(Catalogue.processOpenDescriptors.descriptor)
        maxDescriptors = try registry.gauge(Catalogue.processMaxDescriptors.descriptor)
        resident = try registry.gauge(Catalogue.processResident.descriptor)
        virtual = try registry.gauge(Catalogue.processVirtual.descriptor)
        threads = try registry.gauge(Catalogue.processThreads.descriptor)
        let start = try registry.gauge(Catalogue.processStart.descriptor)
        if let milliseconds = ProcessStatus.startMilliseconds() { start.set(milliseconds) }
    }

    /// Reloads so far. Any thread.
    var reloads: (taken: UInt64, refused: UInt64) { (reloadSuccesses.value, reloadFailures.value) }

    /// The configuration was taken: at the start, or by a reload.
    func configurationTaken(isReload: Bool) {
        if isReload { reloadSuccesses.add() }
        lastReloadSuccessful.set(1)
        lastReloadTime.set(WallClock.nanoseconds / 1_000_000)
    }

    /// A reload was refused; the old configuration goes on.
    func reloadFailed() {
        reloadFailures.add()
        lastReloadSuccessful.set(0)
    }

    /// Sets what is only looked up; on the scraping thread, before each page.
    func refresh(engine: StreamEngine, log: LogOutput, registry: MetricsRegistry, health: Health) {
        ready.set(health.phase == .ready ? 1 : 0)
        connectionsActive.set(Int64(engine.openConnections))
        connectionsLimit.set(Int64(engine.connectionLimit))
        logLinesDropped.raise(to: log.droppedLines)
        seriesDropped.raise(to: registry.droppedSeries)
        guard let status = ProcessStatus.read() else { return }
        cpu.raise(to: status.cpuNanoseconds)
        openDescriptors.set(status.openDescriptors)
        maxDescriptors.set(status.maxDescriptors)
        resident.set(status.residentBytes)
        virtual.set(status.virtualBytes)
        threads.set(status.threads)
    }
}
