import TestSupport

/// How many TCP sockets of this machine belong to some ports. Other tests may run in the same process: descriptors are
/// counted by the ports that are this test's own.
enum OpenSockets {
    /// Sockets that listen on one of the ports.
    static func listening(on ports: [UInt16]) throws -> Int {
        SocketTable(.tcp).rows.count { $0.isListening && ports.contains($0.localPort) }
    }

    /// The number of open connections with one of the ports at either end.
    static func connected(to ports: [UInt16]) throws -> Int {
        SocketTable(.tcp).rows.count {
            !$0.isListening && (ports.contains($0.localPort) || ports.contains($0.remotePort))
        }
    }
}
