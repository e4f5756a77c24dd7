public import NetworkTypes
public import WeirStream

/// The request of a tunnel's client, which it sends right behind the handshake (docs/agent-protocol.md).
public struct TunnelRequest: Hashable, Sendable {
    /// The purpose of the connection.
    public enum Purpose: Hashable, Sendable {
        /// To find out whether the agent takes tunnels: it answers and ends.
        case probe
        /// To be connected with a destination: an address, or a name that the agent resolves.
        case dial(Upstream)
    }

    /// The purpose.
    public var purpose: Purpose
    /// The time that the client still waits for the dial, in whole milliseconds; nil where it does not say. Travels by
    /// ``TunnelProtocol/weir`` alone.
    public var timeLeft: Duration?
    /// The addresses of the client whose bytes the tunnel carries; nil where they are not told. Travels by
    /// ``TunnelProtocol/weir`` alone.
    public var client: ProxyHeader.Addresses?

    /// Joins the parts.
    public init(_ purpose: Purpose, timeLeft: Duration? = nil, client: ProxyHeader.Addresses? = nil) {
        self.purpose = purpose
        self.timeLeft = timeLeft
        self.client = client
    }

    /// The length of the header in bytes, with which the requests of all protocols begin.
    public static let headerLength = 275
    /// The length of the longest request in bytes.
    public static let maxLength = headerLength + timeLength + maxClientLength

    static let versionText: InlineArray<8, UInt8> = [0x30, 0x2e, 0x31, 0x2e, 0x30, 0, 0, 0]
    static let hostOffset = 8
    static let maxHostLength = 255
    static let portOffset = 264
    static let maxPortLength = 5
    static let flagsOffset = 270
    static let checksumOffset = 271
    static let timeLength = 4
    /// The length of a PROXY header of version 2 in front of its addresses.
    static let clientHeadLength = 16
    static let maxClientLength = clientHeadLength + 520

    static let probeFlag: UInt8 = 1
    static let clientFlag: UInt8 = 2
}

extension TunnelRequest {
    /// The bytes of the request.
    public func bytes(_ tunnelProtocol: TunnelProtocol) -> [UInt8] {
        let client = tunnelProtocol == .weir ? client : nil
        var bytes = header(hasClient: client != nil)
        guard tunnelProtocol == .weir else { return bytes }
        Self.append(Self.milliseconds(timeLeft), to: &bytes)
        if let client { bytes += ProxyHeaderWriter.bytes(.v2, for: client) }
        return bytes
    }

    private func header(hasClient: Bool) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.checksumOffset)
        for index in 0..<Self.versionText.count { bytes[index] = Self.versionText[index] }
        var flags: UInt8 = hasClient ? Self.clientFlag : 0
        switch purpose {
        case .probe: flags |= Self.probeFlag
        case .dial(let destination):
            Self.put(destination.host.description, maxLength: Self.maxHostLength, at: Self.hostOffset, in: &bytes)
            Self.put("\(destination.port)", maxLength: Self.maxPortLength, at: Self.portOffset, in: &bytes)
        }
        bytes[Self.flagsOffset] = flags
        Self.append(CRC32.checksum(of: bytes.span, count: Self.checksumOffset), to: &bytes)
        return bytes
    }

    /// Writes a text behind its length. An ``Upstream`` has no longer one.
    private static func put(_ text: String, maxLength: Int, at offset: Int, in bytes: inout [UInt8]) {
        var count = 0
        for byte in text.utf8.prefix(maxLength) {
            count += 1
            bytes[offset + count] = byte
        }
        bytes[offset] = UInt8(count)
    }

    private static func append(_ number: UInt32, to bytes: inout [UInt8]) {
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: number >> UInt32(shift))) }
    }

    /// Whole milliseconds, at least one; 0 is no statement.
    private static func milliseconds(_ time: Duration?) -> UInt32 {
        guard let time else { return 0 }
        let (seconds, attoseconds) = time.components
        guard seconds >= 0, attoseconds >= 0 else { return 1 }
        guard seconds <= UInt32.max / 1000 else { return .max }
        return max(1, UInt32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
