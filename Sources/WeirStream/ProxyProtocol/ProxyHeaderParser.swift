import LinuxIO

/// Parses PROXY headers (proxy-protocol.txt of HAProxy). Pure: each call parses from the beginning, and no state is
/// kept.
///
/// It refuses bytes as early as they allow, and accepts only a complete header: no address is used before the last byte
/// has arrived.
public enum ProxyHeaderParser {
    static let beginningOfV1 = Array("PROXY ".utf8)
    static let signatureOfV2: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

    /// Parses the beginning of a TCP stream: version 1 or 2.
    public static func parse(stream bytes: Span<UInt8>) -> ProxyHeaderScan {
        if bytes.isEmpty { return .incomplete }
        if bytes.agrees(with: beginningOfV1) {
            return bytes.count < beginningOfV1.count ? .incomplete : parseV1(bytes)
        }
        guard bytes.agrees(with: signatureOfV2) else { return .invalid(.missing) }
        return bytes.count < signatureOfV2.count ? .incomplete : parseV2(bytes, carrier: .tcp)
    }

    /// Parses the beginning of a datagram: version 2 only, and complete, because no more bytes follow.
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
    /// Whether both are equal up to the end of the shorter one.
    fileprivate func agrees(with other: [UInt8]) -> Bool {
        for index in 0..<Swift.min(count, other.count) where self[index] != other[index] { return false }
        return true
    }
}
