public import NetworkTypes

extension TunnelResult {
    /// The result of a request with a fault.
    init(_ fault: TunnelFault) {
        switch fault {
        case .version: self = .version
        case .checksum: self = .checksum
        case .malformed: self = .malformed
        }
    }
}

/// Receives what becomes of requests to the agent. Must not block.
public protocol TunnelObserver: AnyObject, Sendable {
    /// A request was answered. Called on the worker of its connection.
    func answered(_ result: TunnelResult, over transport: Transport, worker: Int)
    /// A destination was denied to a client, which has a certificate with this name. Called on any thread.
    func denied(_ destination: Upstream, over transport: Transport, to client: SocketAddress, named name: String)
}
