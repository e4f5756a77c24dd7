import LinuxIO
import NetworkTypes

/// A place to dial, as it was configured: a name or an address literal, and a port.
public struct Upstream: Hashable, Sendable, CustomStringConvertible {
    /// The name, or the literal without brackets.
    public let host: String
    /// The port.
    public let port: UInt16
    /// The address, where `host` is a literal: nothing is resolved then.
    public let literal: SocketAddress?

    /// An upstream from its parts.
    public init(host: String, port: UInt16) throws(StreamError) {
        guard port != 0, !host.isEmpty, !host.utf8.contains(0), host.utf8.count <= 253 else {
            throw .invalidUpstream("\(host):\(port)")
        }
        self.host = host
        self.port = port
        literal = SocketAddress(host: host, port: port)
    }

    /// Reads `localhost:22`, `192.0.2.7:22` or `[2001:db8::7]:22`.
    public init(_ text: String) throws(StreamError) {
        guard let colon = text.lastIndex(of: ":"), let port = SocketAddress.port(text[text.index(after: colon)...])
        else {
            throw .invalidUpstream(text)
        }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw .invalidUpstream(text)
        }
        try self.init(host: String(host), port: port)
    }

    /// `host:port`, the text that labels and logs carry.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
