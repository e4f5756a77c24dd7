import LinuxIO
import NetworkTypes

/// A PROXY protocol header that was read whole: who the client behind a proxy is (proxy-protocol.txt of HAProxy).
public struct ProxyHeader: Hashable, Sendable {
    /// The two forms that a header can have.
    public typealias Version = ProxyHeaderVersion

    /// Both ends of the connection that the proxy took.
    public struct Addresses: Hashable, Sendable {
        /// The client.
        public let source: SocketAddress
        /// Where the client connected to.
        public let destination: SocketAddress

        /// Both ends.
        public init(source: SocketAddress, destination: SocketAddress) {
            self.source = source
            self.destination = destination
        }
    }

    /// The form it had.
    public let version: Version
    /// Its bytes, the first to the last one; payload follows.
    public let length: Int
    /// Nil keeps the peer's address: for LOCAL and UNKNOWN, and for families that have no meaning here.
    public let addresses: Addresses?

    /// The longest line of version 1, CRLF included.
    public static let longestV1 = 107
    /// The longest header of version 2 that is accepted, TLVs included. Its length field could say 65,551.
    public static let longestV2 = 4096
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

/// Why a PROXY header was refused; each raw value is a metric label and the word in the log.
public enum ProxyHeaderError: String, CaseIterable, Error, Sendable {
    /// The first bytes begin no header, or there are none.
    case missing
    /// It began as a header and broke the grammar: a field, a length, a TLV.
    case malformed
    /// Version 2's number is another one, or version 1 came by UDP.
    case unsupportedVersion = "unsupported_version"
    /// A command other than LOCAL and PROXY.
    case unsupportedCommand = "unsupported_command"
    /// An address family or transport that the specification does not name.
    case unsupportedFamily = "unsupported_family"
    /// A line of version 1 without an end in 107 bytes, or more than 4,096 bytes of version 2.
    case tooLong = "too_long"
    /// The CRC32C that it carries is not its own.
    case checksum
    /// The stream, or the datagram, ended within the header.
    case truncated
    /// It was not whole in time.
    case timeout
    /// The peer is none that may send one, where one is required.
    case untrusted

    /// The streams on which it can occur. A datagram is whole or it is not: nothing of it can be late.
    public var occurrence: Occurrence {
        switch self {
        case .missing, .malformed, .unsupportedVersion, .unsupportedCommand, .unsupportedFamily, .tooLong, .checksum,
            .truncated, .untrusted:
            .always
        case .timeout: .on(.tcp)
        }
    }
}

/// What the beginning of a stream, or a datagram, says of its header.
public enum ProxyHeaderScan: Hashable, Sendable {
    /// It may become a header: more bytes are needed.
    case incomplete
    /// The header, and all of it.
    case complete(ProxyHeader)
    /// It is none, whatever follows.
    case invalid(ProxyHeaderError)
}
