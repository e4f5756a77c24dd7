import LinuxIO
import NetworkTypes

extension ProxyHeaderParser {
    /// The bytes of signature, version and command, family and transport, length.
    private static let fixedLength = 16
    private static let checksumType: UInt8 = 0x03
    private static let tlvHead = 3

    private enum Family {
        /// The layout of the addresses is not specified.
        case opaque
        case ipv4(isDatagram: Bool)
        case ipv6(isDatagram: Bool)
        case unix

        /// The length of the addresses in bytes, before the TLVs.
        var length: Int {
            switch self {
            case .opaque: 0
            case .ipv4: 12
            case .ipv6: 36
            case .unix: 216
            }
        }

        /// Creates the family from the byte with family and transport; nil for values that the specification does not
        /// name. Where only one of both is specified, the layout is open.
        init?(_ byte: UInt8) {
            guard byte >> 4 <= 3, byte & 15 <= 2 else { return nil }
            switch (byte >> 4, byte & 15) {
            case (0, _), (_, 0): self = .opaque
            case (1, let transport): self = .ipv4(isDatagram: transport == 2)
            case (2, let transport): self = .ipv6(isDatagram: transport == 2)
            default: self = .unix
            }
        }
    }

    /// Parses the binary header after its signature.
    static func parseV2(_ bytes: Span<UInt8>, carrier: Transport) -> ProxyHeaderScan {
        let offset = signatureOfV2.count
        guard bytes.count > offset else { return .incomplete }
        guard bytes[offset] >> 4 == 2 else { return .invalid(.unsupportedVersion) }
        guard bytes[offset] & 15 <= 1 else { return .invalid(.unsupportedCommand) }
        let isLocal = bytes[offset] & 15 == 0
        guard bytes.count > offset + 1 else { return .incomplete }
        // LOCAL names the peer itself as the client: the addresses and TLVs are skipped.
        guard let family = isLocal ? .opaque : Family(bytes[offset + 1]) else { return .invalid(.unsupportedFamily) }
        guard bytes.count >= fixedLength else { return .incomplete }
        let length = fixedLength + number16(bytes, at: 14)
        guard length <= ProxyHeader.maxLengthV2 else { return .invalid(.tooLong) }
        guard length >= fixedLength + family.length else { return .invalid(.malformed) }
        guard bytes.count >= length else { return .incomplete }
        if case .opaque = family {
            return .complete(ProxyHeader(version: .v2, length: length, addresses: nil))
        }
        let header = bytes.extracting(0..<length)
        if let error = checkTLVs(header, from: fixedLength + family.length) { return .invalid(error) }
        return .complete(
            ProxyHeader(version: .v2, length: length, addresses: addresses(header, family, carrier: carrier)))
    }

    /// Returns the addresses, where their transport is that of the header; nil otherwise: the peer is then the client.
    private static func addresses(
        _ header: Span<UInt8>, _ family: Family, carrier: Transport
    ) -> ProxyHeader.Addresses? {
        switch family {
        case .ipv4(let isDatagram) where isDatagram == (carrier == .udp):
            ProxyHeader.Addresses(
                source: SocketAddress(ipv4(header, at: 16), port: UInt16(number16(header, at: 24))),
                destination: SocketAddress(ipv4(header, at: 20), port: UInt16(number16(header, at: 26))))
        case .ipv6(let isDatagram) where isDatagram == (carrier == .udp):
            ProxyHeader.Addresses(
                source: SocketAddress(ipv6(header, at: 16), port: UInt16(number16(header, at: 48))),
                destination: SocketAddress(ipv6(header, at: 32), port: UInt16(number16(header, at: 50))))
        default: nil
        }
    }

    /// Checks the TLVs: each must end within the header, and a checksum must match. Other values are not read.
    private static func checkTLVs(_ header: Span<UInt8>, from start: Int) -> ProxyHeaderError? {
        var offset = start
        var isChecked = false
        while offset < header.count {
            guard offset + tlvHead <= header.count else { return .malformed }
            let value = offset + tlvHead
            let end = value + number16(header, at: offset + 1)
            guard end <= header.count else { return .malformed }
            if header[offset] == checksumType {
                // Two checksums could match only by chance: each covers the bytes of the other.
                guard end - value == 4, !isChecked else { return .malformed }
                isChecked = true
                let stated = UInt32(number16(header, at: value)) << 16 | UInt32(number16(header, at: value + 2))
                guard CRC32C.checksum(of: header, zeroing: value..<end) == stated else { return .checksum }
            }
            offset = end
        }
        return nil
    }

    private static func number16(_ bytes: Span<UInt8>, at index: Int) -> Int {
        Int(bytes[index]) << 8 | Int(bytes[index + 1])
    }

    private static func ipv4(_ bytes: Span<UInt8>, at index: Int) -> IPAddress {
        IPAddress(v4: UInt32(truncatingIfNeeded: number(bytes, at: index, count: 4)))
    }

    private static func ipv6(_ bytes: Span<UInt8>, at index: Int) -> IPAddress {
        IPAddress(high: number(bytes, at: index, count: 8), low: number(bytes, at: index + 8, count: 8))
    }

    private static func number(_ bytes: Span<UInt8>, at index: Int, count: Int) -> UInt64 {
        var value: UInt64 = 0
        for offset in 0..<count { value = value << 8 | UInt64(bytes[index + offset]) }
        return value
    }
}
