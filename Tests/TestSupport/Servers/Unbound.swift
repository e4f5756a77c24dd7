import Glibc

/// An unbound that answers from local data only, over UDP and TCP on one port.
package final class Unbound {
    package let port: UInt16
    package static let zone = "weir.test"
    /// All names are equally long, and so is every question and every answer.
    private static let numbers = 10..<74
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    package init() throws {
        port = try Ports.free()
        directory = try TemporaryDirectory("unbound")
        let hosts = Self.numbers.map { "    local-data: \"host\($0).\(Self.zone). 60 IN A 192.0.2.\($0)\"" }
        let configuration = try directory.write(
            "unbound.conf",
            """
            server:
                interface: 127.0.0.1
                port: \(port)
                do-daemonize: no
                use-syslog: no
                logfile: ""
                verbosity: 0
                username: ""
                chroot: ""
                directory: "\(directory.path)"
                pidfile: "\(directory.file("pid"))"
                num-threads: 1
                so-rcvbuf: 0
                access-control: 127.0.0.0/8 allow
                do-not-query-localhost: no
                module-config: "iterator"
                local-zone: "\(Self.zone)." static
            \(hosts.joined(separator: "\n"))
            remote-control:
                control-enable: no

            """)
        process = try ChildProcess("unbound", ["-d", "-p", "-c", configuration])
        try process.waitUntilListening(on: port)
    }

    /// A file of questions for dnsperf.
    package func writeQuestions() throws -> String {
        try directory.write("questions", Self.numbers.map { "host\($0).\(Self.zone) A" }.joined(separator: "\n") + "\n")
    }
}
