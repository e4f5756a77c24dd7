import CommandInterface
import Glibc
import WeirProxy

/// `weir demo`.
struct DemoCommand {
    private static let exporter = CommandOption(
        "exporter", value: .text("address:port or unix:path"), "Where /metrics is served.",
        defaultValue: "127.0.0.1:9847")
    private static let basePort = CommandOption(
        "base-port", value: .text("port"), "The demo takes the hundred ports from here on.", defaultValue: "19000")
    private static let duration = CommandOption(
        "duration", value: .text("s"), "End after this many seconds instead of running until it is stopped.")

    static let command = Command(
        "demo", "Run upstreams, clients and routes of every kind in one process, and show what is measured.",
        options: [exporter, basePort, duration]
    ) { arguments in
        try DemoCommand(arguments).run()
    }

    let exporter: String
    let basePort: UInt16
    /// Seconds; nil to run until it is stopped.
    let duration: Double?

    private init(_ arguments: Arguments) throws(UsageError) {
        func value(of option: CommandOption) -> String? { arguments[option.name] ?? option.defaultValue }
        exporter = value(of: Self.exporter) ?? ""
        let highest = Demo.Options.maxBasePort
        guard let port = UInt16(value(of: Self.basePort) ?? ""), port > 0, port <= highest else {
            throw UsageError("--base-port: expected 1 to \(highest)", command: "demo")
        }
        basePort = port
        duration = value(of: Self.duration).map { Double($0) ?? 0 }
        if let duration, !(duration > 0 && duration <= 1e9) {
            throw UsageError("--duration: expected a positive number of seconds", command: "demo")
        }
    }

    private func run() throws(Failure) {
        ProcessSignals.block()
        let demo: Demo
        do {
            var options = try Demo.Options(exporter: exporter, basePort: basePort)
            options.isTerminal = isatty(STDOUT_FILENO) == 1
            let ready = options
            demo = try waitFor { try await Demo.start(ready) }
        } catch {
            Console.failure("\(error)")
            throw Failure()
        }
        if let duration {
            Task {
                try await Task.sleep(for: .seconds(duration))
                await end(demo)
            }
        }
        var isEnding = false
        while true {
            guard ProcessSignals.next() == .end else { continue }
            if isEnding { Glibc.exit(1) }
            isEnding = true
            Task { await end(demo) }
        }
    }
}

private func end(_ demo: Demo) async {
    await demo.stop()
    Glibc.exit(0)
}
