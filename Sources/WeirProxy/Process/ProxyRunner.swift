import LinuxIO
import Synchronization
import WeirConfiguration

/// A proxy that runs from a file: reads it again on SIGHUP and when it changes. What `weir run` is made of.
public final class ProxyRunner: Sendable {
    /// The proxy itself.
    public let proxy: Proxy
    private let file: ConfigurationFile
    private let content: [UInt8]?
    private let dependencies: [FileDependency]
    private let watcher = Mutex<ConfigurationWatcher?>(nil)

    /// A runner for a file that was read already.
    public init(
        _ file: ConfigurationFile, loaded: ConfigurationFile.Loaded, options: Proxy.Options = Proxy.Options()
    ) throws(ProxyError) {
        self.file = file
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
    }

    /// Opens log files again, reads the configuration and goes over to it. Where it cannot be used, the old one goes on.
    public func reload() async {
        await proxy.reopenLogs()
        let watcher = watcher.withLock { $0 }
        let loaded: ConfigurationFile.Loaded
        do throws(ConfigurationFile.Refusal) {
            loaded = try file.load()
            watcher?.markSeen(loaded.content, dependencies: loaded.dependencies)
        } catch {
            watcher?.markSeen(error.content, dependencies: error.dependencies)
            await proxy.reloadFailed(error.findings)
            return
        }
        for warning in loaded.warnings { await proxy.warn(warning) }
        // A refusal is logged and counted by the proxy.
        _ = try? await proxy.apply(loaded.configuration)
    }

    /// Drains and ends.
    public func shutdown() async {
        watcher.withLock { $0 }?.stop()
        await proxy.shutdown()
    }
}
