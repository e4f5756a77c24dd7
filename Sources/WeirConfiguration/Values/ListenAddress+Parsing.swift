import NetworkTypes

extension ListenAddress {
    /// Reads the address of the exporter, `127.0.0.1:9847` or `[::1]:9847`.
    init(exporter text: String) throws(ValueError) {
        try self.init(listening: text, example: "`127.0.0.1:9847` or `[::1]:9847`")
    }

    /// Reads an address with a port; messages have the example.
    init(listening text: String, example: String) throws(ValueError) {
        let example = "expected an IP address and a port such as \(example)"
        let parts: HostAndPort
        do throws(HostAndPort.ParseError) {
            parts = try HostAndPort(parsing: Array(text.utf8)[...])
        } catch {
            switch error {
            case .missingPort: throw ValueError("\(example), found \(quoted(text))")
            case .missingBrackets:
                throw ValueError("\(example), found \(quoted(text)): an IPv6 address needs brackets before its port")
            }
        }
        let port = try parsePort(parts.port)
        if String(decoding: parts.host, as: UTF8.self) == "localhost" {
            throw ValueError("\(example), found \(quoted(text))", suggestion: "127.0.0.1:\(port)")
        }
        if parts.host.isEmpty {
            throw ValueError("\(example), found \(quoted(text)) without an address", suggestion: "0.0.0.0:\(port)")
        }
        let written = try WrittenAddress(parsing: parts.host)
        guard written.isIPv6 == parts.isBracketed else { throw ValueError("\(example), found \(quoted(text))") }
        self.init(over: .tcp, address: try written.checked(), port: port)
    }
}
