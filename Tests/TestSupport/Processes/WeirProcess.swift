import Foundation

/// The real binary, running `weir run` with a configuration of its own.
package final class WeirProcess {
    package let process: ChildProcess
    package let exporterPort: UInt16
    package let directory: TemporaryDirectory
    private let exporter: String
    private static let fileName = "weir.yml"

    /// Starts it. `routes` is the body of the `routes:` map; `rest` any further top-level keys; `exporter` the fields
    /// of that section, where `PORT` stands for its port. `launcher` is a program that sets something up and then
    /// replaces itself with what follows. Returns once `/readyz` says that every route is bound, or, where the exporter
    /// speaks TLS, the log does.
    package init(
        routes: String, rest: String = "", exporter: String = "listen: 127.0.0.1:PORT",
        isExporterEncrypted: Bool = false, environment: [String: String] = [:], launcher: [String] = []
    ) throws {
        directory = try TemporaryDirectory("run")
        exporterPort = try Ports.free()
        self.exporter = exporter.replacingOccurrences(of: "PORT", with: "\(exporterPort)")
        let text = Self.configuration(routes: routes, rest: rest, exporter: self.exporter)
        let path = try directory.write(Self.fileName, text)
        let command = launcher + [try Tool.weir(), "run", "--config", path]
        process = try ChildProcess(command[0], Array(command.dropFirst()), environment: environment)
        try waitUntil("weir is ready", deadline: .seconds(15)) {
            if let exit = process.exitIfEnded() {
                throw DeadlineExceeded(
                    description: "weir ended (\(exit)) before it was ready:\n\(process.output)\(process.errorOutput)")
            }
            if isExporterEncrypted { return process.outputLines.contains { $0.contains(" INFO ready ") } }
            return (try? HTTP.get("/readyz", port: exporterPort).status) == 200
        }
    }

    private static func configuration(routes: String, rest: String, exporter: String) -> String {
        let indented = routes.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
        return "exporter: { \(exporter) }\n\(rest)\nroutes:\n\(indented)\n"
    }

    package var configurationPath: String { directory.file(Self.fileName) }
    package var logLines: [String] { process.outputLines }

    /// Replaces the configuration file, without a signal.
    package func replaceConfiguration(routes: String, rest: String = "") throws {
        try directory.replace(
            Self.fileName, Self.configuration(routes: routes, rest: rest, exporter: exporter))
    }

    /// The current samples, as Prometheus would scrape them. What a peer has seen is in them; for what the process has
    /// only been sent use ``scrape(until:deadline:_:)``.
    package func scrape() throws -> Samples {
        try Samples.scrape(port: exporterPort, of: process.processID)
    }

    /// Scrapes until the condition holds, and returns that scrape. Where it never does, the error has what was counted.
    @discardableResult
    package func scrape(
        until what: String, deadline: Duration = .seconds(10), _ condition: (Samples) throws -> Bool
    ) throws -> Samples {
        var last: Samples?
        do {
            return try waitFor(what, deadline: deadline) {
                let samples = try scrape()
                last = samples
                return try condition(samples) ? samples : nil
            }
        } catch let error as DeadlineExceeded {
            throw DeadlineExceeded(description: "\(error.description); \(last?.countedByRoutes ?? "no page")")
        }
    }

    /// Waits for every TCP connection of the route to be over: its totals are final then.
    @discardableResult
    package func scrapeWhenIdle(_ route: String) throws -> Samples {
        try scrape(until: "no connection is active on \(route)") {
            $0["weir_tcp_connections_active", ["route": route]] == 0
        }
    }

    /// Waits for a line of the log that contains all the given words.
    @discardableResult
    package func waitForLog(_ words: String..., deadline: Duration = .seconds(10)) throws -> String {
        try waitFor("a log line with \(words)", deadline: deadline) {
            logLines.first { line in words.allSatisfy(line.contains) }
        }
    }

    /// Sends SIGTERM, as a service manager does, and returns how it ended.
    package func stop(deadline: Duration = .seconds(45)) throws -> ChildProcess.Exit {
        process.send(signal: SIGTERM)
        return try process.waitForExit(deadline: deadline)
    }
}

/// Totals of one route, the way most tests compare them.
extension Samples {
    package func bytes(_ route: String, _ direction: String) -> Int {
        total("weir_bytes_total", ["route": route, "direction": direction])
    }

    package func accepted(_ route: String) -> Int {
        total("weir_tcp_connections_accepted_total", ["route": route])
    }

    package func active(_ route: String) -> Int {
        total("weir_tcp_connections_active", ["route": route])
    }

    /// The samples of routes that are not zero, for an error.
    fileprivate var countedByRoutes: String {
        let lines = text.split(separator: "\n").filter { line in
            line.hasPrefix("weir_") && line.contains("route=\"") && !line.contains("_bucket{") && !line.hasSuffix(" 0")
        }
        return "counted: \(lines.prefix(40).joined(separator: " | "))"
    }

    package func closed(_ route: String, _ reason: String? = nil) -> Int {
        var labels = ["route": route]
        labels["reason"] = reason
        return total("weir_tcp_connections_closed_total", labels)
    }
}

extension String {
    /// One entry of the `routes:` map, with the fields that tests name most.
    package static func route(
        _ name: String, _ port: UInt16, to upstreamPort: UInt16, scheme: String = "tcp4", host: String = "127.0.0.1",
        _ more: String...
    ) -> String {
        let fields = ["scheme: \(scheme)", "host: \(host)", "port: \"\(port):\(upstreamPort)\""] + more
        return "\(name): { \(fields.joined(separator: ", ")) }"
    }
}
