import ArgumentParser
import Glibc
import WeirProxy

/// `weir demo`.
struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run upstreams, clients and routes of every kind in one process, and show what is measured.")

    @Option(help: ArgumentHelp("Where /metrics is served.", valueName: "address:port or unix:path"))
    var exporter = "127.0.0.1:9847"

    @Option(help: ArgumentHelp("The demo takes the hundred ports from here on.", valueName: "port"))
    var basePort: UInt16 = 19000

    @Option(help: ArgumentHelp("End after this many seconds instead of running until it is stopped.", valueName: "s"))
    var duration: Double?

    func validate() throws {
        guard basePort > 0, basePort <= Demo.Options.highestBasePort else {
            throw ValidationError("--base-port: expected 1 to \(Demo.Options.highestBasePort)")
        }
        if let duration, !(duration > 0 && duration <= 1e9) {
            throw ValidationError("--duration: expected a positive number of seconds")
        }
    }

    func run() throws {
        ProcessSignals.take()
        let demo: Demo
        do {
            var options = try Demo.Options(exporter: exporter, basePort: basePort)
            options.isTerminal = isatty(STDOUT_FILENO) == 1
            let ready = options
            demo = try waitFor { try await Demo.start(ready) }
        } catch {
            Console.failure("\(error)")
            throw ExitCode(1)
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
