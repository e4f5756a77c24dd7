/// One listening address of a stream, and the difference that it makes to the upstream's port.
public struct StreamListener: Hashable, Sendable {
    /// The address to bind.
    public let address: ListenAddress
    /// The number that a client of this address adds to the port of each upstream without a fixed port (modulo 2^16).
    public let portShift: UInt16

    /// Creates a listener of a stream.
    public init(_ address: ListenAddress, portShift: UInt16 = 0) {
        self.address = address
        self.portShift = portShift
    }
}

extension Upstream {
    /// The upstream for the clients of a listener; itself where its port is fixed, or the shifted port would be 0.
    public func shifted(by portShift: UInt16) -> Upstream {
        if portShift != 0, let destination = behindAgent {
            let agent = try? Upstream(agent: host, port: port, destination: destination.shifted(by: portShift))
            return agent ?? self
        }
        guard portShift != 0, !isPortFixed,
            let shifted = try? Upstream(host, port: port &+ portShift, transport: transport)
        else { return self }
        return shifted
    }
}
