import LinuxIO

/// Reads PROXY headers. Pure: it looks at the bytes from the beginning of the stream each time, and keeps nothing.
///
/// It says no as early as the bytes allow, and yes only to a whole header: no address is used before the last byte came.
public enum ProxyHeaderParser {
    static let beginningOfV1 = Array("PROXY ".utf8)
    static let signatureOfV2: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

    /// Reads the beginning of a TCP stream: either version.
    public static func parse(stream bytes: Span<UInt8>) -> ProxyHeaderScan {
        if bytes.isEmpty { return .incomplete }
        if bytes.agrees(with: beginningOfV1) {
            return bytes.count < beginningOfV1.count ? .incomplete : parseV1(bytes)
        }
        guard bytes.agrees(with: signatureOfV2) else { return .invalid(.missing) }
        return bytes.count < signatureOfV2.count ? .incomplete : parseV2(bytes, carrier: .tcp)
    }

    /// Reads the beginning of a datagram: version 2 only, and whole, because nothing follows.
    public static func parse(datagram bytes: Span<UInt8>) -> ProxyHeaderScan {
        if bytes.count >= beginningOfV1.count, bytes.agrees(with: beginningOfV1) {
            return .invalid(.unsupportedVersion)
        }
        guard bytes.count >= signatureOfV2.count, bytes.agrees(with: signatureOfV2) else { return .invalid(.missing) }
        let scan = parseV2(bytes, carrier: .udp)
        return scan == .incomplete ? .invalid(.truncated) : scan
    }
}

extension Span<UInt8> {
    /// Whether both begin alike, as far as both go.
    fileprivate func agrees(with other: [UInt8]) -> Bool {
        for index in 0..<Swift.min(count, other.count) where self[index] != other[index] { return false }
        return true
    }
}
