import Glibc
public import NetworkTypes

// Connections of plain threads, which wait for them. Never on the thread of an event loop.

extension Socket {
    /// Opens a stream socket and connects it. Blocks the calling thread for at most `limit`.
    /// - Throws: the error of the connection; ETIMEDOUT where the time ends first.
    public static func connected(to address: SocketAddress, within limit: Duration) throws(SystemError) -> Socket {
        let socket = try Socket(.stream, family: family(of: address))
        try socket.connect(to: address, within: limit)
        return socket
    }

    /// Connects (connect(2)), and blocks the calling thread for at most `limit` until that has ended.
    /// - Throws: the error of the connection; ETIMEDOUT where the time ends first.
    public borrowing func connect(to address: SocketAddress, within limit: Duration) throws(SystemError) {
        switch connect(to: address) {
        case .connected: return
        case .failed(let error): throw error
        case .inProgress:
            guard Poll.wait(for: .writable, on: number, within: limit) else { throw SystemError(.connect, ETIMEDOUT) }
            if let error = takeError() { throw error }
        }
    }
}
