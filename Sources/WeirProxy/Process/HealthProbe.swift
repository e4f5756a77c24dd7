import Glibc
public import LinuxIO
import NetworkTypes
public import WeirConfiguration

#if TLS
import WeirTLS
#endif

/// Asks a running Weir how it is, over its exporter: what `weir health` does, for container health checks.
public struct HealthProbe: Sendable {
    /// The configuration that a file yields.
    public typealias Configuration = WeirConfiguration.Configuration
    /// An endpoint at which the exporter listens.
    public typealias Listener = Configuration.Exporter.Listener

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
        case address(SocketAddress, isEncrypted: Bool)
        case unix(UnixSocketPath)

        /// `127.0.0.1:9847`, `https://127.0.0.1:9847` or `unix:/run/weir/exporter.sock`.
        var description: String {
            switch self {
            case .address(let address, let isEncrypted):
                (isEncrypted ? ExporterEndpoints.encryptedPrefix : "") + address.description
            case .unix(let path): "\(path)"
            }
        }
    }

    private static let unixPrefix = "unix:"

    /// Never empty.
    private let endpoints: [Endpoint]
    private let path: String
    private let timeout: Duration
    private static let maxBytes = 16_384

    /// A probe of the exporter of a configuration, at the endpoints where it listens, the first that answers. A
    /// wildcard address is asked on the loopback of its family, and that of IPv6 then on IPv4's, which it serves, too.
    public init(
        _ configuration: Configuration, asksReadiness: Bool = false, timeout: Duration = .seconds(3)
    ) throws(Failure) {
        try self.init(ExporterEndpoints(configuration), asksReadiness: asksReadiness, timeout: timeout)
    }

    /// A probe of an exporter at these places, likewise. Over TLS no certificate is looked at: the question holds no
    /// secret, and the answer no more than one in clear would prove.
    public init(
        _ exporter: ExporterEndpoints, asksReadiness: Bool = false, timeout: Duration = .seconds(3)
    ) throws(Failure) {
        var endpoints: [Endpoint] = []
        var unusable = ""
        for listener in exporter.listeners {
            switch listener {
            case .unix(let path): endpoints.append(.unix(path))
            case .address(let listen):
                // Its interface may be gone; another listener still answers.
                if let address = SocketAddress(resolving: listen.address, port: listen.port) {
                    endpoints.append(.address(address, isEncrypted: exporter.isEncrypted))
                } else {
                    unusable = listen.addressText
                }
            }
        }
        guard !endpoints.isEmpty else { throw .noAddress(unusable) }
        self.init(endpoints, asksReadiness: asksReadiness, timeout: timeout)
    }

    /// A probe of an exporter at `127.0.0.1:9847`, `https://127.0.0.1:9847` or `unix:/run/weir/exporter.sock`, whatever
    /// a configuration file says by now.
    public init(
        exporter: String, asksReadiness: Bool = false, timeout: Duration = .seconds(3)
    ) throws(Failure) {
        if exporter.hasPrefix(Self.unixPrefix) {
            guard let path = UnixSocketPath(String(exporter.dropFirst(Self.unixPrefix.count))) else {
                throw .noAddress(exporter)
            }
            self.init([.unix(path)], asksReadiness: asksReadiness, timeout: timeout)
        } else {
            let isEncrypted = exporter.hasPrefix(ExporterEndpoints.encryptedPrefix)
            let text = isEncrypted ? String(exporter.dropFirst(ExporterEndpoints.encryptedPrefix.count)) : exporter
            guard let address = SocketAddress(text) else { throw .noAddress(exporter) }
            self.init([.address(address, isEncrypted: isEncrypted)], asksReadiness: asksReadiness, timeout: timeout)
        }
    }

    private init(_ endpoints: [Endpoint], asksReadiness: Bool, timeout: Duration) {
        self.endpoints = endpoints.flatMap { endpoint -> [Endpoint] in
            guard case .address(let address, let isEncrypted) = endpoint else { return [endpoint] }
            let dialed = Endpoint.address(
                SocketAddress(address.ip.dialed, port: address.port, scope: address.scope), isEncrypted: isEncrypted)
            // Where the host has no IPv6, the listener of `::` is one of IPv4.
            if address.ip != .anyIPv6 { return [dialed] }
            return [dialed, .address(SocketAddress(.loopbackIPv4, port: address.port), isEncrypted: isEncrypted)]
        }
        path = asksReadiness ? "/readyz" : "/healthz"
        self.timeout = timeout
    }

    /// Asks; blocks for at most the timeout. An endpoint where nothing can be reached gives way to the next; one that
    /// is silent does not.
    public func ask() throws(Failure) -> Answer {
        var failure: SystemError?
        for endpoint in endpoints {
            let connection: BlockingSocket
            do throws(SystemError) {
                connection = try connect(to: endpoint)
            } catch  where error.code != ETIMEDOUT {
                failure = failure ?? error
                continue
            } catch {
                throw .connection("\(endpoint)", error)
            }
            return try ask(connection, at: endpoint)
        }
        let tried = endpoints.map(\.description).joined(separator: " or ")
        throw .connection(tried, failure ?? SystemError(.connect, ENOTCONN))
    }

    private func ask(_ connection: consuming BlockingSocket, at endpoint: Endpoint) throws(Failure) -> Answer {
        let bytes: [UInt8]
        let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        do throws(SystemError) {
            if case .address(_, isEncrypted: true) = endpoint {
                bytes = try connection.exchange(request, over: Self.makeSession(), limit: Self.maxBytes)
            } else {
                try connection.send(request)
                bytes = try connection.receiveToEnd(limit: Self.maxBytes)
            }
        } catch {
            throw .connection("\(endpoint)", error)
        }
        guard let answer = Self.parse(bytes) else { throw .malformedAnswer("\(endpoint)") }
        return answer
    }

    private static func makeSession() throws(SystemError) -> any SecureSession {
        #if TLS
        var settings = TLSClientSettings()
        settings.verifies = false
        if let client = TLSClient(settings, own: nil) {
            return client.makeSession(to: nil, port: 0, worker: 0, observer: nil)
        }
        #endif
        throw SystemError(.connect, EPROTONOSUPPORT)
    }

    private func connect(to endpoint: Endpoint) throws(SystemError) -> BlockingSocket {
        switch endpoint {
        case .address(let address, _): try BlockingSocket.connect(to: address, timeout: timeout)
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
