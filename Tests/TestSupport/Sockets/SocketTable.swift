import Foundation

/// The sockets of this machine as the kernel lists them, of both families, TIME_WAIT left out (proc_pid_net(5)).
package struct SocketTable: Sendable {
    package enum Transport: String, Sendable {
        case tcp, udp
    }

    package struct Row: Hashable, Sendable {
        package let localPort: UInt16
        package let remotePort: UInt16
        /// Identifies the socket during its life.
        package let inode: Int
        /// A TCP socket that listens, a UDP socket that is not connected.
        package let isListening: Bool
        /// Until the next keepalive probe; nil where no probe is scheduled.
        package let keepalive: Duration?
    }

    package let rows: [Row]

    /// The table as it is now.
    package init(_ transport: Transport) {
        // A kernel without IPv6 has no second table.
        rows = ["/proc/net/\(transport)", "/proc/net/\(transport)6"].flatMap { path in
            contents(of: path).split(separator: "\n").dropFirst().compactMap { Self.row($0, transport) }
        }
    }

    /// The listening sockets of these ports.
    package func listening(on ports: UInt16...) -> Set<Row> {
        Set(rows.filter { $0.isListening && ports.contains($0.localPort) })
    }

    /// The end of a connection with these ports; its other end has them swapped.
    package func connection(local: UInt16, remote: UInt16) -> Row? {
        rows.first { !$0.isListening && $0.localPort == local && $0.remotePort == remote }
    }

    private static func row(_ line: Substring, _ transport: Transport) -> Row? {
        let fields = line.split(separator: " ", omittingEmptySubsequences: true)
        guard fields.count > 9, let inode = Int(fields[9]), inode != 0, let local = port(fields[1]),
            let remote = port(fields[2])
        else { return nil }
        return Row(
            localPort: local, remotePort: remote, inode: inode,
            isListening: transport == .tcp ? fields[3] == "0A" : remote == 0, keepalive: keepalive(fields[5]))
    }

    private static func port(_ field: Substring) -> UInt16? {
        field.split(separator: ":").last.flatMap { UInt16($0, radix: 16) }
    }

    /// `02:00001770`: the second kind of timer, and hundredths of a second.
    private static func keepalive(_ field: Substring) -> Duration? {
        let parts = field.split(separator: ":")
        guard parts.count == 2, parts[0] == "02", let ticks = Int(parts[1], radix: 16) else { return nil }
        return .milliseconds(ticks * 10)
    }
}
