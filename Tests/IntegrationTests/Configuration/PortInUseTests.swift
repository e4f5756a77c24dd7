import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Ports that are taken")
    struct PortInUseTests {
        /// Starts a Weir with a good route and one on the taken port, and expects it to end with code 1.
        private static func expectRefusal(takenPort: UInt16, scheme: String) throws {
            let folder = try TemporaryDirectory("taken")
            let good = try Ports.free()
            let exporter = try Ports.free()
            let file = try folder.write(
                "weir.yml",
                """
                exporter: { listen: 127.0.0.1:\(exporter) }
                routes:
                  \(String.route("good", good, to: 9))
                  \(String.route("unlucky", takenPort, to: 9, scheme: scheme))

                """)
            let run = try ChildProcess.run(try Tool.weir(), ["run", "--config", file], deadline: .seconds(15))
            #expect(run.exit == .code(1), "\(run)")
            let lines = (run.output + run.errorOutput).split(separator: "\n")
            #expect(
                lines.contains { $0.contains("unlucky") && $0.contains(":\(takenPort)") && $0.contains("in use") },
                "\(run)")
            #expect(throws: SystemFailure.self) { _ = try TestConnection(to: Endpoint(good)) }
        }

        @Test("by another program, TCP: an error that names route and address, exit code 1")
        func takenTCP() throws {
            let other = try TCPServer.echo(host: "0.0.0.0")
            try Self.expectRefusal(takenPort: other.port, scheme: "tcp4")
        }

        @Test("by another program, UDP")
        func takenUDP() throws {
            let other = try UDPServer.echo(host: "0.0.0.0")
            try Self.expectRefusal(takenPort: other.port, scheme: "udp4")
        }

        @Test("by another program on one address, when the route wants all of them", arguments: ["tcp", "tcp4"])
        func takenOnOneAddress(scheme: String) throws {
            let other = try TCPServer.echo(host: "127.0.0.1")
            try Self.expectRefusal(takenPort: other.port, scheme: scheme)
        }

        @Test("by a second Weir, which must not steal from the first", arguments: ["tcp4", "tcp", "udp4", "udp"])
        func takenBySecondWeir(scheme: String) throws {
            let stream = try TCPServer.echo()
            let datagrams = try UDPServer.echo(port: stream.port)
            let port = try Ports.free()
            let first = try WeirProcess(routes: .route("first", port, to: stream.port, scheme: scheme))
            try Self.expectRefusal(takenPort: port, scheme: scheme)
            // The first process still serves every client. They stay open: one that takes the port of another is
            // the same client.
            var clients: [UDPSocket] = []
            for _ in 0..<20 {
                if scheme.hasPrefix("tcp") {
                    let client = try TestConnection(to: Endpoint(port))
                    try client.send("x")
                    #expect(client.receive(1).text == "x")
                } else {
                    let client = try UDPSocket()
                    clients.append(client)
                    try client.send([7], to: Endpoint(port))
                    #expect(try client.receive().bytes == [7])
                }
            }
            let samples = try first.scrape()
            withExtendedLifetime(clients) {}
            let beginnings = scheme.hasPrefix("tcp") ? "tcp_connections_accepted" : "udp_sessions_opened"
            #expect(samples.total("weir_\(beginnings)_total", ["route": "first"]) == 20)
            #expect(datagrams.received == (scheme.hasPrefix("udp") ? 20 : 0))
        }

        @Test("the exporter's port: an error that names it, exit code 1, no route bound")
        func takenExporter() throws {
            let other = try TCPServer.echo()
            let folder = try TemporaryDirectory("taken")
            let good = try Ports.free()
            let file = try folder.write(
                "weir.yml",
                "exporter: { listen: 127.0.0.1:\(other.port) }\nroutes:\n  \(String.route("good", good, to: 9))\n")
            let run = try ChildProcess.run(try Tool.weir(), ["run", "--config", file], deadline: .seconds(15))
            #expect(run.exit == .code(1), "\(run)")
            let lines = (run.output + run.errorOutput).split(separator: "\n")
            #expect(lines.contains { $0.contains("exporter") && $0.contains(":\(other.port)") }, "\(run)")
            #expect(throws: SystemFailure.self) { _ = try TestConnection(to: Endpoint(good)) }
        }
    }
}
