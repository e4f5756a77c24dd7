import NetworkTypes

/// Bytes that are sent, and the bytes that must come back.
///
/// The expected bytes may stand anywhere in the first 16 KiB of a stream, or in one of the first 32 datagrams: a
/// greeting often begins with the host's name, and HAProxy and Envoy search in the same way. A stream that holds them
/// in two segments passes; what a server sends besides changes nothing.
public struct ExchangeCheck: Hashable, Sendable {
    /// The answer that passes.
    public enum Expectation: Hashable, Sendable {
        /// These bytes, anywhere in the answer.
        case bytes([UInt8])
        /// Any byte, or any datagram.
        case anything
        /// No sign that the datagram found no receiver, for as long as the timeout lasts: for services that never
        /// answer, such as syslog. Over UDP only. An ICMP error fails; a host that drops datagrams passes.
        case silence
    }

    /// The transport that carries the bytes.
    public let transport: Transport
    /// The bytes that are sent: a datagram, perhaps an empty one, or the beginning of a stream. Over TCP none means
    /// that the server speaks first.
    public let send: [UInt8]
    /// The answer that passes.
    public let expect: Expectation

    /// The bounds of both, in bytes. A datagram of this length passes every link.
    public static let maxLength = 1_024

    /// An exchange.
    /// - Throws: ``HealthCheckError/tooLong(count:limit:)``, ``HealthCheckError/emptyExpectation`` or
    ///   ``HealthCheckError/silenceOverTCP``.
    public init(over transport: Transport, send: [UInt8], expect: Expectation) throws(HealthCheckError) {
        var counts = [send.count]
        switch expect {
        case .bytes(let bytes):
            guard !bytes.isEmpty else { throw .emptyExpectation }
            counts.append(bytes.count)
        case .silence:
            guard transport == .udp else { throw .silenceOverTCP }
        case .anything: break
        }
        for count in counts where count > Self.maxLength { throw .tooLong(count: count, limit: Self.maxLength) }
        self.transport = transport
        self.send = send
        self.expect = expect
    }
}
