import LinuxIO
import NetworkTypes

/// A complete PROXY protocol header, which names the client behind a proxy (proxy-protocol.txt of HAProxy).
public struct ProxyHeader: Hashable, Sendable {
    /// The two versions of the header.
    public typealias Version = ProxyHeaderVersion

    /// Both ends of the connection that the proxy accepted.
    public struct Addresses: Hashable, Sendable {
        /// The client's address.
        public let source: SocketAddress
        /// The address to which the client connected.
        public let destination: SocketAddress

        /// Creates a pair of addresses.
        public init(source: SocketAddress, destination: SocketAddress) {
            self.source = source
            self.destination = destination
        }
    }

    /// The version of the header.
    public let version: Version
    /// The length of the header in bytes; payload follows.
    public let length: Int
    /// The addresses of the header. Nil for LOCAL, for UNKNOWN, and for families other than IPv4 and IPv6: the peer is
    /// then the client.
    public let addresses: Addresses?

    /// The longest line of version 1 in bytes, CRLF included (proxy-protocol.txt section 2.1).
    public static let maxLengthV1 = 107
    /// The longest accepted header of version 2 in bytes, TLVs included. The protocol allows 65,551.
    public static let maxLengthV2 = 4096
}

extension ProxyHeaderVersion {
    /// The streams on which it can occur.
    public var occurrence: Occurrence {
        switch self {
        case .v1: .on(.tcp)
        case .v2: .always
        }
    }
}

/// The reason why a PROXY header was refused. Each raw value is a metric label and the word in the log.
public enum ProxyHeaderError: String, CaseIterable, Error, Sendable {
    /// The first bytes are not those of a header, or the stream ended without any.
    case missing
    /// The header violates the grammar: a field, a length, a TLV.
    case malformed
    /// The binary header has another version than 2, or version 1 arrived by UDP.
    case unsupportedVersion = "unsupported_version"
    /// A command other than LOCAL and PROXY.
    case unsupportedCommand = "unsupported_command"
    /// An address family or transport that the specification does not name.
    case unsupportedFamily = "unsupported_family"
    /// A line of version 1 without an end in 107 bytes, or more than 4,096 bytes of version 2.
    case tooLong = "too_long"
    /// The CRC32C in the header does not match its bytes.
    case checksum
    /// The stream, or the datagram, ended within the header.
    case truncated
    /// The header was not complete in time.
    case timeout
    /// A header is required, and the peer is not a trusted proxy.
    case untrusted

    /// The streams on which it can occur. A datagram arrives at once, so that its header cannot be late.
    public var occurrence: Occurrence {
        switch self {
        case .missing, .malformed, .unsupportedVersion, .unsupportedCommand, .unsupportedFamily, .tooLong, .checksum,
            .truncated, .untrusted:
            .always
        case .timeout: .on(.tcp)
        }
    }
}

/// The result of a parse of the beginning of a stream, or of a datagram.
public enum ProxyHeaderScan: Hashable, Sendable {
    /// The bytes may begin a header: more are needed.
    case incomplete
    /// The bytes begin with a complete header.
    case complete(ProxyHeader)
    /// The bytes cannot begin a valid header, whatever follows.
    case invalid(ProxyHeaderError)
}
