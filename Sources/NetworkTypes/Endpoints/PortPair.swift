/// The two ports of a route: the one it listens on and the one it dials.
public struct PortPair: Hashable, Sendable {
    /// The listening port.
    public let listen: UInt16
    /// The port of the upstream.
    public let target: UInt16

    /// Joins both ports.
    public init(listen: UInt16, target: UInt16) {
        self.listen = listen
        self.target = target
    }
}

extension PortPair {
    /// Why a text is no pair of ports.
    public enum ParseError: Error, Hashable, Sendable {
        /// The text is empty, or has more than two parts.
        case malformed
        /// One side of the colon is empty.
        case missingHalf
        /// One part is no port.
        case malformedPort(String, PortNumber.ParseError)
    }

    /// Reads `2222:22`, or `53` for both.
    public init(parsing text: some StringProtocol) throws(ParseError) {
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard !bytes.isEmpty, parts.count <= 2 else { throw .malformed }
        if parts.contains(where: \.isEmpty) { throw .missingHalf }
        let listen = try Self.port(parts[0])
        self.init(listen: listen, target: parts.count == 2 ? try Self.port(parts[1]) : listen)
    }

    private static func port(_ digits: ArraySlice<UInt8>) throws(ParseError) -> UInt16 {
        let port: UInt16
        do throws(PortNumber.ParseError) {
            port = try PortNumber.parse(digits)
        } catch {
            throw .malformedPort(String(decoding: digits, as: UTF8.self), error)
        }
        // Neither half can be left to the kernel.
        guard port != 0 else { throw .malformedPort(String(decoding: digits, as: UTF8.self), .malformed) }
        return port
    }
}
