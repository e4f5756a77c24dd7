import Glibc
public import LinuxIO
import NetworkTypes
public import WeirConfiguration

/// Asks a running Weir how it is, over its exporter: what `weir health` does, for container health checks.
public struct HealthProbe: Sendable {
    /// The configuration that a file yields.
    public typealias Configuration = WeirConfiguration.Configuration

    /// The answer of the process.
    public struct Answer: Sendable, Equatable {
        /// The HTTP status.
        public let status: Int
        /// The text, one line.
        public let text: String

        /// Whether it said yes.
        public var isHealthy: Bool { status == 200 }
    }

    /// Why there is no answer.
    public enum Failure: Error, Sendable, CustomStringConvertible {
        /// No process listens, or the connection broke.
        case connection(String, SystemError)
        /// The answer is not one of Weir's.
        case malformedAnswer(String)
        /// The exporter's address cannot be used.
        case noAddress(String)

        /// For people.
        public var description: String {
            switch self {
            case .connection(let endpoint, let error): "no answer from \(endpoint): \(error)"
            case .malformedAnswer(let endpoint): "\(endpoint) answered, but not as Weir does"
            case .noAddress(let text): "the exporter's address \(text) cannot be used"
            }
        }
    }

    /// The endpoint to ask.
    private enum Endpoint: CustomStringConvertible {
        case address(SocketAddress)
        case unix(UnixSocketPath)

        /// `127.0.0.1:9847` or `unix:/run/weir/exporter.sock`.
        var description: String {
            switch self {
            case .address(let address): "\(address)"
            case .unix(let path): "\(path)"
            }
        }
    }

    private static let unixPrefix = "unix:"

    private let endpoint: Endpoint
    private let path: String
    private let timeout: Duration
    private static let maxBytes = 16_384

    /// A probe of the exporter of a configuration, at the first endpoint where it listens. A wildcard address is asked
    /// on the loopback of its family.
    public init(
        _ configuration: Configuration, asksReadiness: Bool = false, timeout: Duration = .seconds(3)
    ) throws(Failure) {
        guard let listener = configuration.exporter.listen.first else { throw .noAddress("") }
        let endpoint: Endpoint
        switch listener {
        case .unix(let path): endpoint = .unix(path)
        case .address(let listen):
            guard let address = SocketAddress(resolving: listen.address, port: listen.port) else {
                throw .noAddress(listen.addressText)
            }
            endpoint = .address(address)
        }
        self.init(endpoint, asksReadiness: asksReadiness, timeout: timeout)
    }

    /// A probe of an exporter at `127.0.0.1:9847` or `unix:/run/weir/exporter.sock`, whatever a configuration file says
    /// by now.
    public init(
        exporter: String, asksReadiness: Bool = false, timeout: Duration = .seconds(3)
    ) throws(Failure) {
        if exporter.hasPrefix(Self.unixPrefix) {
            guard let path = UnixSocketPath(String(exporter.dropFirst(Self.unixPrefix.count))) else {
                throw .noAddress(exporter)
            }
            self.init(.unix(path), asksReadiness: asksReadiness, timeout: timeout)
        } else {
            guard let address = SocketAddress(exporter) else { throw .noAddress(exporter) }
            self.init(.address(address), asksReadiness: asksReadiness, timeout: timeout)
        }
    }

    private init(_ endpoint: Endpoint, asksReadiness: Bool, timeout: Duration) {
        if case .address(let address) = endpoint {
            self.endpoint = .address(SocketAddress(address.ip.dialed, port: address.port, scope: address.scope))
        } else {
            self.endpoint = endpoint
        }
        path = asksReadiness ? "/readyz" : "/healthz"
        self.timeout = timeout
    }

    /// Asks; blocks for at most the timeout.
    public func ask() throws(Failure) -> Answer {
        let bytes: [UInt8]
        do throws(SystemError) {
            let connection = try connect()
            try connection.send(Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8))
            bytes = try connection.receiveToEnd(limit: Self.maxBytes)
        } catch {
            throw .connection("\(endpoint)", error)
        }
        guard let answer = Self.parse(bytes) else { throw .malformedAnswer("\(endpoint)") }
        return answer
    }

    private func connect() throws(SystemError) -> BlockingSocket {
        switch endpoint {
        case .address(let address): try BlockingSocket.connect(to: address, timeout: timeout)
        case .unix(let path): try BlockingSocket.connect(to: path, timeout: timeout)
        }
    }

    /// Reads a status line and the body behind the blank line.
    static func parse(_ bytes: [UInt8]) -> Answer? {
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.prefix { $0 != "\r\n" }.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        // The text behind the last line break is a line too, an empty one where nothing follows.
        guard let blank = lines.firstIndex(of: ""), blank < lines.count - 1 else { return nil }
        let body = lines[(blank + 1)...].joined(separator: " ").split(separator: "\n").joined(separator: " ")
        return Answer(status: status, text: body)
    }
}
