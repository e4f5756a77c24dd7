import Foundation

/// The TCP sockets of this machine by their ports, TIME_WAIT left out (proc_pid_net(5)). Other tests may run in the
/// same process: descriptors are counted by the ports that are this test's own.
enum OpenSockets {
    private struct Row {
        let localPort: UInt16
        let remotePort: UInt16
        let isListening: Bool
    }

    /// Sockets that listen on one of the ports.
    static func listening(on ports: [UInt16]) throws -> Int {
        try rows().count { $0.isListening && ports.contains($0.localPort) }
    }

    /// Connections that somebody still holds and that touch one of the ports.
    static func connected(to ports: [UInt16]) throws -> Int {
        try rows().count { !$0.isListening && (ports.contains($0.localPort) || ports.contains($0.remotePort)) }
    }

    private static func rows() throws -> [Row] {
        try ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { path in
            // Read in one go: the table must not change while it is read.
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return text.split(separator: "\n").dropFirst().compactMap { line -> Row? in
                let fields = line.split(separator: " ", omittingEmptySubsequences: true)
                guard fields.count > 9, fields[9] != "0", let local = port(fields[1]), let remote = port(fields[2])
                else { return nil }
                return Row(localPort: local, remotePort: remote, isListening: fields[3] == "0A")
            }
        }
    }

    private static func port(_ field: Substring) -> UInt16? {
        field.split(separator: ":").last.flatMap { UInt16($0, radix: 16) }
    }
}
