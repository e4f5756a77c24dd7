import Foundation

/// `iperf3 -s`, and the client's report read from its JSON.
package final class IperfServer {
    package let port: UInt16
    private let process: ChildProcess

    package init() throws {
        port = try Ports.free()
        process = try ChildProcess("iperf3", ["-s", "-B", "127.0.0.1", "-p", "\(port)"])
        try process.waitUntilListening(on: port)
    }

    package struct Report: Sendable {
        package var sentBytes: Int
        package var receivedBytes: Int
        package var packets: Int
        package var lostPackets: Int
    }

    package struct Failed: Error, CustomStringConvertible {
        package let description: String
    }

    /// Runs a client through `port`, which may be another than the server's own.
    package static func runClient(port: UInt16, _ arguments: [String]) throws -> Report {
        let run = try ChildProcess.run("iperf3", ["-c", "127.0.0.1", "-p", "\(port)", "--json"] + arguments)
        let json = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        guard run.succeeded, let end = json?["end"] as? [String: Any] else {
            throw Failed(description: "\(run)")
        }
        func number(_ section: String, _ name: String) -> Int {
            ((end[section] as? [String: Any])?[name] as? NSNumber)?.intValue ?? 0
        }
        let sent = (end["sum_sent"] as? [String: Any]) ?? (end["sum"] as? [String: Any]) ?? [:]
        return Report(
            sentBytes: (sent["bytes"] as? NSNumber)?.intValue ?? 0, receivedBytes: number("sum_received", "bytes"),
            packets: number("sum", "packets"), lostPackets: number("sum", "lost_packets"))
    }
}
