import CommandInterface
import Glibc
import WeirProxy

/// `weir run`.
struct RunCommand {
    static let command = Command(
        "run", "Run the routes of a configuration file.",
        discussion: """
            SIGHUP, a change of the file, or the command reload makes it read the file again. SIGTERM and SIGINT drain \
            and end with 0; a second one ends at once.
            """,
        options: [ConfigurationOption.option]
    ) { arguments in
        try run(ConfigurationOption(arguments))
    }

    /// Runs a configuration file, which must have an agent where `needsAgent` is true.
    static func run(_ options: ConfigurationOption, needsAgent: Bool = false) throws(Failure) {
        try RunCommand(options: options, needsAgent: needsAgent).run()
    }

    let options: ConfigurationOption
    let needsAgent: Bool

    private func run() throws(Failure) {
        // Before any thread is there, so that all of them leave the signals to this one.
        ProcessSignals.block()
        ProcessPrivileges.keep()
        let loaded = try options.load()
        guard !needsAgent || loaded.configuration.ownAgent != nil else {
            Console.failure("\(options.path): expected `agent:`, found none")
            throw Failure()
        }
        let runner: ProxyRunner
        do throws(ProxyError) {
            runner = try ProxyRunner(options.file, loaded: loaded, manager: serviceManager())
        } catch {
            Console.failure("\(error)")
            throw Failure()
        }
        // Clients wait until all is served; a service manager may ask for a reload right after it was told so.
        let listeners = loaded.configuration.exporter.listen
        let control = listen(for: runner) {
            ExporterEndpoints(listeners, isEncrypted: runner.proxy.isExporterEncrypted)
        }
        do {
            try waitFor { try await runner.start() }
            try control?.start()
        } catch {
            Console.failure("\(error)")
            throw Failure()
        }
        steer(runner)
    }

    /// The socket for `weir reload` and `weir health`. Without one Weir runs all the same.
    private func listen(
        for runner: ProxyRunner, exporter: @escaping @Sendable () -> ExporterEndpoints
    ) -> ControlServer? {
        do {
            return try ControlServer(configuration: options.path, exporter: exporter) { await runner.reload() }
        } catch {
            Console.error("weir: warning: `weir reload` cannot reach this process, SIGHUP can: \(error)")
            return nil
        }
    }

    /// The service manager that started this process, if it asked to be notified. Without one, or if notifications
    /// cannot be sent, Weir runs all the same.
    private func serviceManager() -> ServiceManager? {
        do throws(ProxyError) {
            return try ServiceManager(environment: Environment.all, processID: getpid())
        } catch {
            Console.error("weir: warning: \(error)")
            return nil
        }
    }

    /// A hook's program that has ended is reaped by its owner in this time; others are seen behind it.
    private static let orphanPause = Duration.milliseconds(100)

    /// Serves signals until the process ends, and keeps the watchdog quiet.
    private func steer(_ runner: ProxyRunner) -> Never {
        let clock = ContinuousClock()
        var nextPing = runner.watchdogInterval.map { clock.now + $0 }
        var isEnding = false
        // Processes that a hook's program leaves behind come to process 1 of a container.
        var hasOrphans = ProcessSignals.reapOrphans()
        while true {
            if let interval = runner.watchdogInterval, let due = nextPing, due <= clock.now {
                runner.pingWatchdog()
                nextPing = clock.now + interval
            }
            let untilPing = nextPing.map { max($0 - clock.now, .zero) }
            let wait = hasOrphans ? min(untilPing ?? Self.orphanPause, Self.orphanPause) : untilPing
            switch ProcessSignals.next(within: wait) {
            case nil: if hasOrphans { hasOrphans = ProcessSignals.reapOrphans() }
            case .childEnded: hasOrphans = ProcessSignals.reapOrphans()
            case .reload where !isEnding: Task { await runner.reload() }
            case .reload: break
            case .end where !isEnding:
                isEnding = true
                Task {
                    await runner.shutdown()
                    Glibc.exit(0)
                }
            case .end:
                runner.proxy.flushLog(within: .milliseconds(200))
                Glibc.exit(1)
            }
        }
    }
}
