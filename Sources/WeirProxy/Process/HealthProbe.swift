import Glibc
public import LinuxIO
public import WeirConfiguration

/// Asks a running Weir how it is, over its exporter: what `weir health` does, for container health checks.
public struct HealthProbe: Sendable {
    /// What a configuration file turns into.
    public typealias Configuration = WeirConfiguration.Configuration

    /// What it said.
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
        /// Nobody to ask, or the connection broke.
        case connection(SocketAddress, SystemError)
        /// What came is no answer of Weir's.
        case malformedAnswer(SocketAddress)
        /// The exporter's address cannot be used.
        case noAddress(String)

        /// For people.
        public var description: String {
            switch self {
            case .connection(let address, let error): "no answer from \(address): \(error)"
            case .malformedAnswer(let address): "\(address) answered, but not as Weir does"
            case .noAddress(let text): "the exporter's address \(text) cannot be used"
            }
        }
    }

    private let address: SocketAddress
    private let path: String
    private let timeout: Duration
    private static let mostBytes = 16_384

    /// A probe of the exporter of a configuration. A wildcard address is asked on the loopback of its family.
    public init(
        _ configuration: Configuration, asksReadiness: Bool = false, timeout: Duration = .seconds(3)
    ) throws(Failure) {
        let listen = configuration.exporter.listen
        try self.init(exporter: "\(listen)", asksReadiness: asksReadiness, timeout: timeout)
    }

    /// A probe of an exporter at `127.0.0.1:9847`, whatever a configuration file says by now.
    public init(
        exporter: String, asksReadiness: Bool = false, timeout: Duration = .seconds(3)
    ) throws(Failure) {
        guard var address = SocketAddress(exporter) else { throw .noAddress(exporter) }
        if address.ip == .anyIPv4 { address.ip = .loopbackIPv4 }
        if address.ip == .anyIPv6 { address.ip = .loopbackIPv6 }
        self.address = address
        path = asksReadiness ? "/readyz" : "/healthz"
        self.timeout = timeout
    }

    /// Asks; blocks for at most the timeout.
    public func ask() throws(Failure) -> Answer {
        let bytes: [UInt8]
        do throws(SystemError) {
            let connection = try BlockingSocket.connect(to: address, timeout: timeout)
            try connection.send(Array("GET \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n".utf8))
            bytes = try connection.receiveToEnd(limit: Self.mostBytes)
        } catch {
            throw .connection(address, error)
        }
        guard let answer = Self.parse(bytes) else { throw .malformedAnswer(address) }
        return answer
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
