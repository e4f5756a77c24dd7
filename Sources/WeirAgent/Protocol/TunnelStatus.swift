/// The answer of an agent to a request by ``TunnelProtocol/weir``: four bytes, of which the third is the status. Each
/// name is the word in the log.
public enum TunnelStatus: UInt8, CaseIterable, Sendable {
    /// The destination is connected, and bytes follow; or the probe is answered.
    case ok = 0
    /// No process listens at the destination.
    case refused = 1
    /// The destination did not answer in time, or the lookup of its name took longer than the agent waits.
    case timeout = 2
    /// The agent's network has no route to the destination.
    case unreachable = 3
    /// The destination's name has no address, or no name server told it.
    case dns = 4
    /// The agent does not allow the dial: its list does not have the destination, or that is the agent itself; its
    /// access rules deny the client that the request names; its system forbids the dial; or the certificate opens no
    /// tunnels.
    case denied = 5
    /// The agent has reached a limit: of connections, of descriptors.
    case limit = 6
    /// The destination reset the connection while it was made.
    case reset = 7
    /// The request is malformed.
    case malformed = 8
    /// The version of the request is not spoken.
    case version = 9
    /// The checksum of the request does not match.
    case checksum = 10
    /// The agent ends.
    case draining = 11
    /// Anything else.
    case other = 12

    /// The length of the answer in bytes.
    public static let length = 4
    private static let magic: UInt8 = 0x57
    private static let form: UInt8 = 1

    /// The bytes of the answer.
    public var bytes: [UInt8] { [Self.magic, Self.form, rawValue, 0] }

    /// Parses the first bytes of an answer. A status that is not known is ``other``, and the last byte has no meaning
    /// yet.
    public static func parse(_ bytes: Span<UInt8>) -> TunnelStatusScan {
        if bytes.count > 0, bytes[0] != magic { return .invalid }
        if bytes.count > 1, bytes[1] != form { return .invalid }
        guard bytes.count >= length else { return .needsMore }
        return .complete(TunnelStatus(rawValue: bytes[2]) ?? .other)
    }
}

/// The outcome of a parse of the first bytes of an answer.
public enum TunnelStatusScan: Hashable, Sendable {
    /// The bytes may begin an answer.
    case needsMore
    /// The bytes begin with an answer. Bytes of the destination follow ``TunnelStatus/ok``.
    case complete(TunnelStatus)
    /// The bytes begin no answer.
    case invalid
}

extension TunnelStatus {
    /// The status that answers a fault of the request.
    public init(_ fault: TunnelFault) {
        switch fault {
        case .version: self = .version
        case .checksum: self = .checksum
        case .malformed: self = .malformed
        }
    }
}
