import NetworkTypes
import WeirStream

/// The outcome of a parse of the first bytes of a tunnel.
public enum TunnelRequestScan: Hashable, Sendable {
    /// The bytes may begin a request, which has at least this many.
    case needsMore(atLeast: Int)
    /// The bytes begin with a request of this length. Payload follows it.
    case complete(TunnelRequest, length: Int)
    /// The bytes cannot begin a request, whatever follows.
    case invalid(TunnelFault)
}

/// A fault of a request. Each raw value is a metric label and the word in the log.
public enum TunnelFault: String, CaseIterable, Error, Sendable {
    /// The version is not the one that is spoken.
    case version
    /// The checksum does not match.
    case checksum
    /// The host, the port, a flag or the client's block is none.
    case malformed
}

/// Parses the requests of tunnels. Pure: each call parses from the beginning, and no state is kept.
///
/// It refuses bytes as early as they allow, and asks for no byte behind the request.
public enum TunnelRequestParser {
    /// Parses the first bytes of a tunnel.
    public static func parse(_ bytes: Span<UInt8>, _ tunnelProtocol: TunnelProtocol) -> TunnelRequestScan {
        for index in 0..<min(bytes.count, TunnelRequest.versionText.count)
        where bytes[index] != TunnelRequest.versionText[index] { return .invalid(.version) }
        guard bytes.count >= TunnelRequest.headerLength else {
            return .needsMore(atLeast: leastLength(tunnelProtocol))
        }
        let checksum = CRC32.checksum(of: bytes, count: TunnelRequest.checksumOffset)
        guard number(bytes, at: TunnelRequest.checksumOffset, count: 4) == Int(checksum) else {
            return .invalid(.checksum)
        }
        let flags = bytes[TunnelRequest.flagsOffset]
        guard let purpose = purpose(bytes, isProbe: flags & TunnelRequest.probeFlag != 0) else {
            return .invalid(.malformed)
        }
        let request = TunnelRequest(purpose)
        switch tunnelProtocol {
        // Other flags mean nothing there, and its agents ignore them.
        case .plain: return .complete(request, length: TunnelRequest.headerLength)
        case .weir: return parseExtension(bytes, flags: flags, of: request)
        }
    }

    private static func leastLength(_ tunnelProtocol: TunnelProtocol) -> Int {
        switch tunnelProtocol {
        case .plain: TunnelRequest.headerLength
        case .weir: TunnelRequest.headerLength + TunnelRequest.timeLength
        }
    }

    /// Reads the purpose from a header whose checksum matches; nil where it is malformed.
    private static func purpose(_ bytes: Span<UInt8>, isProbe: Bool) -> TunnelRequest.Purpose? {
        let hostLength = Int(bytes[TunnelRequest.hostOffset])
        let portLength = Int(bytes[TunnelRequest.portOffset])
        guard portLength <= TunnelRequest.maxPortLength else { return nil }
        if isProbe { return .probe }
        let host = array(bytes, from: TunnelRequest.hostOffset + 1, count: hostLength)
        let port = array(bytes, from: TunnelRequest.portOffset + 1, count: portLength)
        do throws(PortNumber.ParseError) {
            let port = try PortNumber.parse(port[...])
            return TunnelDestination.parse(host: host[...], port: port).map { .dial($0) }
        } catch {
            return nil
        }
    }

    /// Parses what follows the header by ``TunnelProtocol/weir``: the time that is left, and the client.
    private static func parseExtension(
        _ bytes: Span<UInt8>, flags: UInt8, of request: TunnelRequest
    ) -> TunnelRequestScan {
        // A flag that is not known may announce bytes.
        guard flags & ~(TunnelRequest.probeFlag | TunnelRequest.clientFlag) == 0 else { return .invalid(.malformed) }
        let start = TunnelRequest.headerLength + TunnelRequest.timeLength
        guard bytes.count >= start else { return .needsMore(atLeast: start) }
        var request = request
        let milliseconds = number(bytes, at: TunnelRequest.headerLength, count: 4)
        request.timeLeft = milliseconds == 0 ? nil : .milliseconds(milliseconds)
        guard flags & TunnelRequest.clientFlag != 0 else { return .complete(request, length: start) }

        let block = bytes.extracting(start..<bytes.count)
        // Its first byte tells the binary form from the line of version 1.
        guard block.isEmpty || block[0] == 0x0d else { return .invalid(.malformed) }
        let head = TunnelRequest.clientHeadLength
        var length = head
        if block.count >= head {
            length += number(block, at: head - 2, count: 2)
            guard length <= TunnelRequest.maxClientLength else { return .invalid(.malformed) }
        }
        switch ProxyHeaderParser.parse(stream: block) {
        case .incomplete: return .needsMore(atLeast: start + length)
        case .invalid: return .invalid(.malformed)
        case .complete(let header):
            request.client = header.addresses
            return .complete(request, length: start + header.length)
        }
    }

    private static func array(_ bytes: Span<UInt8>, from start: Int, count: Int) -> [UInt8] {
        (start..<(start + count)).map { bytes[$0] }
    }

    /// Reads a number in network byte order.
    private static func number(_ bytes: Span<UInt8>, at index: Int, count: Int) -> Int {
        var value = 0
        for offset in 0..<count { value = value << 8 | Int(bytes[index + offset]) }
        return value
    }
}
