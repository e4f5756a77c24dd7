#if TLS
import NetworkTypes
import WeirAgent
import WeirExporter

/// A check of a destination that a client asks an agent for: `/godoxy/agent/health?scheme=tcp&host=10.0.0.5&port=22`.
struct RequestedCheck: Sendable {
    /// A request that cannot be read.
    struct Malformed: Error {
        let text: String
    }

    enum Scheme: String, CaseIterable {
        case tcp, udp, tcp4, udp4, tcp6, udp6, http
    }

    /// Nil for one that is not checked here.
    let scheme: Scheme?
    /// Nil without a scheme.
    let destination: Upstream?
    let path: String
    let timeout: Duration

    var transport: Transport { [.udp, .udp4, .udp6].contains(scheme) ? .udp : .tcp }

    private static let maxTimeoutMilliseconds = 30_000

    init(_ request: PathRequest) throws(Malformed) {
        guard let word = request["scheme"] else { throw Malformed(text: "expected a `scheme`") }
        scheme = Scheme(rawValue: word)
        let milliseconds = request["timeout"].map { Int($0) ?? 0 } ?? 5000
        guard milliseconds > 0 else { throw Malformed(text: "expected a `timeout` in milliseconds") }
        timeout = .milliseconds(min(milliseconds, Self.maxTimeoutMilliseconds))
        let path = request["path"] ?? "/"
        self.path = path.isEmpty ? "/" : path
        guard scheme != nil else {
            destination = nil
            return
        }
        // Nothing of the request may end its first line.
        guard self.path.hasPrefix("/"), self.path.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Malformed(text: "expected a `path` such as `/`")
        }
        destination = try Self.destination(request["host"] ?? "", request["port"] ?? "")
    }

    /// Reads `host` and `port`, or both in `host`, with brackets around an IPv6 address.
    private static func destination(_ host: String, _ port: String) throws(Malformed) -> Upstream {
        var (host, port) = (host, port)
        if port.isEmpty, let parts = HostAndPort(host) {
            (host, port) = (String(decoding: parts.host, as: UTF8.self), String(decoding: parts.port, as: UTF8.self))
        } else if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        }
        guard let number = PortNumber.parse(port), number > 0,
            let destination = TunnelDestination.parse(host: Array(host.utf8)[...], port: number)
        else { throw Malformed(text: "expected a `host` and a `port`") }
        return destination
    }
}
#endif
