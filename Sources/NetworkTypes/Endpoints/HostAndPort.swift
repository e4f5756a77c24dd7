/// The two halves of `host:port`, not yet read. An IPv6 address stands in brackets, so that its colons are told from
/// the one before the port.
public struct HostAndPort: Sendable {
    /// Why a text cannot be taken apart.
    public enum ParseError: Error, Hashable, Sendable {
        /// There is no colon.
        case missingPort
        /// The host has colons and no brackets.
        case missingBrackets
    }

    /// The host without its brackets.
    public let host: ArraySlice<UInt8>
    /// Whether it stood in brackets.
    public let isBracketed: Bool
    /// The text behind the last colon.
    public let port: ArraySlice<UInt8>

    /// Takes a text apart.
    public init(parsing bytes: ArraySlice<UInt8>) throws(ParseError) {
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { throw .missingPort }
        let host = bytes[..<colon]
        port = bytes[(colon + 1)...]
        isBracketed = host.count >= 2 && host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]")
        self.host = isBracketed ? host.dropFirst().dropLast() : host
        guard isBracketed || !host.contains(UInt8(ascii: ":")) else { throw .missingBrackets }
    }

    /// Takes a text apart; nil where it has no port, or colons without brackets.
    public init?(_ text: some StringProtocol) {
        do throws(ParseError) {
            try self.init(parsing: Array(text.utf8)[...])
        } catch {
            return nil
        }
    }
}

extension HostAndPort {
    /// The port as a number; nil where it is none.
    var portNumber: UInt16? { try? PortNumber.parse(port) }
}

/// Splits `scheme://rest`; nil where no scheme stands in front.
func splitScheme(_ text: String) -> (scheme: Substring, rest: Substring)? {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].hasPrefix("//") else { return nil }
    return (parts[0], parts[1].dropFirst(2))
}
