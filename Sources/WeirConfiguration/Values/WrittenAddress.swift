import NetworkTypes

/// An address as its text has it. An IPv4-mapped IPv6 address is the IPv4 address inside, but messages show what was
/// written, and where IPv4 is expected the IPv6 form is a mistake.
struct WrittenAddress {
    /// The address, IPv4 where it was written in its mapped form.
    let address: ScopedAddress
    /// Whether it was written as an IPv6 address (RFC 4291 section 2.2).
    let isIPv6: Bool

    /// Reads an address literal, perhaps with an interface. Throws a ``ValueError`` with what was found; never traps.
    init(parsing bytes: ArraySlice<UInt8>) throws(ValueError) {
        isIPv6 = bytes.contains(UInt8(ascii: ":"))
        do throws(ScopedAddress.ParseError) {
            address = try ScopedAddress(parsing: bytes)
        } catch {
            let shown = quoted(String(decoding: bytes, as: UTF8.self))
            switch error {
            case .malformedAddress: throw ValueError("expected an IP address, found \(shown)")
            case .malformedIPv6Address: throw ValueError("expected an IPv6 address, found \(shown)")
            case .malformedInterface:
                throw ValueError("expected an interface such as `%eth0` behind the address, found \(shown)")
            }
        }
    }

    /// Whether it is an IPv4 address in its mapped form.
    var isMapped: Bool { isIPv6 && address.ip.isIPv4 }

    /// The address. Refuses a link-local one without its interface, and an interface on any other: the kernel would
    /// refuse the first with a bare "invalid argument", and ignore the second.
    func checked() throws(ValueError) -> ScopedAddress {
        let needsInterface = !address.ip.isIPv4 && address.ip.isLinkLocal
        if needsInterface, address.interface == nil {
            throw ValueError(
                "found the link-local address `\(self)` without its interface, expected one such as `\(self)%eth0`")
        }
        if !needsInterface, address.interface != nil {
            throw ValueError("found an interface in `\(self)`, which only link-local addresses (fe80::/10) have")
        }
        return address
    }
}

/// The address of a text such as `127.0.0.1:22` or `[::1]:22`, where no port belongs; nil for any other text.
func addressBeforePort(_ text: String) -> String? {
    guard let parts = try? HostAndPort(parsing: Array(text.utf8)[...]), !parts.port.isEmpty,
        parts.port.allSatisfy(isDigit), let written = try? WrittenAddress(parsing: parts.host),
        written.isIPv6 == parts.isBracketed
    else { return nil }
    return written.description
}

extension WrittenAddress: CustomStringConvertible {
    /// Canonical text in the family that was written: RFC 5952, with `::ffff:` before a mapped address.
    var description: String { isMapped ? "::ffff:\(address)" : address.description }
}
