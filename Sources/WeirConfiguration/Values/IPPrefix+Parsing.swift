import NetworkTypes

extension IPPrefix {
    /// Whether it holds every address of its family.
    var isEverything: Bool { length == 0 }

    /// Reads a block as it is written in a file: `10.0.0.0/8`, `2001:db8::/32`, or one address. Throws a ``ValueError``
    /// with what was found; never traps.
    init(configured text: String) throws(ValueError) {
        let bytes = Array(text.utf8)
        let slash = bytes.firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
        let written = try WrittenAddress(parsing: bytes[..<slash])
        if written.address.interface != nil {
            throw ValueError("expected an address or a block without an interface, found \(quoted(text))")
        }
        do throws(ParseError) {
            try self.init(parsing: bytes[...])
        } catch {
            switch error {
            case .malformedAddress: throw ValueError("expected an IP address, found \(quoted(text))")
            case .malformedLength(let digits, let range):
                // A length that others would read differently is shown with its address.
                let isAmbiguous = digits.utf8.count > 3 || (digits.hasPrefix("0") && digits.utf8.count > 1)
                throw ValueError(
                    "expected a length from \(range.lowerBound) to \(range.upperBound) behind the `/`, found "
                        + quoted(isAmbiguous ? text : digits))
            case .hostBitsSet(let meant):
                throw ValueError(
                    "found an address with bits behind the length in \(quoted(text))",
                    suggestion: written.isMapped ? "::ffff:\(meant.network)/\(meant.length + 96)" : "\(meant)")
            }
        }
    }
}
