/// An address and a port to listen on.
public struct ListenAddress: Sendable, Hashable {
    /// The address.
    public var address: IPLiteral
    /// The port; 0 only where code, not a file, asks for any free port.
    public var port: UInt16

    /// Joins an address and a port.
    public init(address: IPLiteral, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Where the exporter listens unless told otherwise: 127.0.0.1:9847.
    public static let defaultExporter = ListenAddress(address: .ipv4(127, 0, 0, 1), port: 9847)
}

extension ListenAddress: CustomStringConvertible {
    /// `ADDRESS:PORT`, with brackets around an IPv6 address.
    public var description: String { "\(address.bracketed):\(port)" }
}

extension ListenAddress {
    /// Reads `127.0.0.1:9847` or `[::1]:9847`.
    init(parsing text: String) throws(ValueError) {
        let example = "expected an IP address and a port such as `127.0.0.1:9847` or `[::1]:9847`"
        let bytes = Array(text.utf8)
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else {
            throw ValueError("\(example), found \(quoted(text))")
        }
        var host = bytes[..<colon]
        let isBracketed = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]") && host.count >= 2
        if isBracketed {
            host = host.dropFirst().dropLast()
        } else if host.contains(UInt8(ascii: ":")) {
            throw ValueError("\(example), found \(quoted(text)): an IPv6 address needs brackets before its port")
        }
        let port = try parsePort(bytes[(colon + 1)...])
        if String(decoding: host, as: UTF8.self) == "localhost" {
            throw ValueError("\(example), found \(quoted(text))", suggestion: "127.0.0.1:\(port)")
        }
        if host.isEmpty {
            throw ValueError("\(example), found \(quoted(text)) without an address", suggestion: "0.0.0.0:\(port)")
        }
        let address = try IPLiteral(parsing: host)
        guard address.isIPv6 == isBracketed else { throw ValueError("\(example), found \(quoted(text))") }
        self.init(address: try address.checkedScope().unmapped, port: port)
    }
}
