import LinuxIO
import Synchronization
import WeirConfiguration

/// A proxy that runs from a file: reads it again on SIGHUP and when it changes, and tells the service manager how it
/// stands. What `weir run` is made of.
public final class ProxyRunner: Sendable {
    /// The proxy itself.
    public let proxy: Proxy
    private let file: ConfigurationFile
    private let content: [UInt8]?
    private let dependencies: [FileDependency]
    private let watcher = Mutex<ConfigurationWatcher?>(nil)
    private let manager: ServiceManager?
    private let isEnding = Atomic<Bool>(false)

    /// A runner for a file that was read already. `manager` is who started the process, if it wants to know.
    public init(
        _ file: ConfigurationFile, loaded: ConfigurationFile.Loaded, options: Proxy.Options = Proxy.Options(),
        manager: ServiceManager? = nil
    ) throws(ProxyError) {
        self.file = file
        self.manager = manager
        content = loaded.content
        dependencies = loaded.dependencies
        proxy = try Proxy(loaded.configuration, options: options)
    }

    /// Binds everything and serves, then watches the file.
    public func start() async throws(ProxyError) {
        let made = ConfigurationWatcher(path: file.path, seen: content, dependencies: dependencies) { [weak self] in
            guard let self else { return }
            Task { await self.reload() }
        }
        try await proxy.start()
        do throws(SystemError) {
            watcher.withLock { $0 = made }
            try made.start()
        } catch {
            await proxy.warn("the configuration is not watched, only SIGHUP reloads it: \(error)")
        }
        await tell(.ready(await summary))
    }

    /// Opens log files again, reads the configuration and goes over to it. Where it cannot be used, the old one goes on.
    public func reload() async {
        if isEnding.load(ordering: .relaxed) { return }
        await tell(.reloading)
        let problem = await readAgain()
        // Who is told of the end must not hear that all is ready behind it.
        if isEnding.load(ordering: .relaxed) { return }
        let summary = await summary
        await tell(.ready(problem.map { "\(summary); the last reload was refused: \($0)" } ?? summary))
    }

    /// What is wrong with the configuration as it is now, or nil where it was taken.
    private func readAgain() async -> String? {
        await proxy.reopenLogs()
        let watcher = watcher.withLock { $0 }
        let loaded: ConfigurationFile.Loaded
        do throws(ConfigurationFile.Refusal) {
            loaded = try file.load()
            watcher?.markSeen(loaded.content, dependencies: loaded.dependencies)
        } catch {
            watcher?.markSeen(error.content, dependencies: error.dependencies)
            await proxy.reloadFailed(error.findings)
            return error.findings.first ?? "the configuration cannot be read"
        }
        for warning in loaded.warnings { await proxy.warn(warning) }
        do throws(ProxyError) {
            // Logged and counted there, also where it is refused.
            _ = try await proxy.apply(loaded.configuration)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Drains and ends.
    public func shutdown() async {
        isEnding.store(true, ordering: .relaxed)
        watcher.withLock { $0 }?.stop()
        let times = await proxy.configuration.shutdown
        // What closes after the drain time takes a few seconds at most.
        await tell(.stopping(within: times.delay + times.drainTimeout + .seconds(15)))
        await proxy.shutdown()
    }

    // MARK: Service manager

    /// How often ``pingWatchdog()`` must be called; nil where no watchdog waits.
    public var watchdogInterval: Duration? { manager?.watchdogInterval }

    /// Tells the watchdog that every worker turns. Where one does not, it hears nothing, and may end the process.
    public func pingWatchdog() {
        Task {
            if let worker = proxy.stalledWorker {
                await proxy.warn("worker \(worker) stands still, and the watchdog is left to act")
            } else {
                await tell(.alive)
            }
        }
    }

    private var summary: String {
        get async {
            let routes = await proxy.configuration.routes.count
            let exporter = proxy.exporterAddresses.map(\.description).joined(separator: ", ")
            return "\(routes) \(routes == 1 ? "route" : "routes"), metrics at \(exporter)"
        }
    }

    private func tell(_ news: ServiceManager.News) async {
        do throws(SystemError) {
            try manager?.tell(news)
        } catch {
            await proxy.warn("the service manager cannot be told: \(error)")
        }
    }
}
