/// `port:` of a route: where it listens and where it dials.
struct PortPair: Equatable {
    let listen: UInt16
    let upstream: UInt16
}

extension PortPair {
    /// Reads `2222:22`, or `53` for both.
    ///
    /// The text decides, never the type that YAML gives it: YAML 1.1 calls `2222:22` a base-60 integer (133,342).
    init(parsing text: String) throws(ValueError) {
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard !bytes.isEmpty, parts.count <= 2 else {
            throw ValueError(
                "expected `LISTEN:TARGET` such as `2222:22`, or one port for both, found \(quoted(text))")
        }
        for part in parts where part.isEmpty {
            throw ValueError("expected a port on both sides of `:`, such as `2222:22`, found \(quoted(text))")
        }
        let listen = try parsePort(parts[0])
        self.init(listen: listen, upstream: parts.count == 2 ? try parsePort(parts[1]) : listen)
    }
}

/// Reads a port: decimal digits without sign, space or leading zero, 1–65535.
func parsePort(_ text: ArraySlice<UInt8>) throws(ValueError) -> UInt16 {
    let shown = quoted(String(decoding: text, as: UTF8.self))
    guard let first = text.first, text.allSatisfy(isDigit) else {
        throw ValueError("expected a port from 1 to 65535, found \(shown)")
    }
    let digits = text.drop { $0 == UInt8(ascii: "0") }
    guard digits.count <= 5,
        let port = UInt16(exactly: digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }), port > 0
    else { throw ValueError("expected a port from 1 to 65535, found \(shown)") }
    guard first != UInt8(ascii: "0") else {
        throw ValueError("expected a port without leading zeros, found \(shown)", suggestion: "\(port)")
    }
    return port
}
