import LinuxIO
import NetworkTypes

/// The fields of a PROXY header of version 2 that tell of a client's TLS (proxy-protocol.txt section 2.2). Pure.
///
/// Each text has at most 255 bytes, so that all of them fit a header that Weir itself takes.
enum ProxyHeaderFields {
    /// The types of fields.
    private enum Kind {
        static let applicationProtocol: UInt8 = 0x01
        static let authority: UInt8 = 0x02
        static let tls: UInt8 = 0x20
        static let version: UInt8 = 0x21
        static let commonName: UInt8 = 0x22
        static let cipher: UInt8 = 0x23
    }

    /// The bits of the client's field.
    private enum Client {
        /// It speaks TLS.
        static let tls: UInt8 = 1
        /// It has shown a certificate on this connection.
        static let certificateNow: UInt8 = 2
        /// It has shown a certificate on the connection that the session began with.
        static let certificateInSession: UInt8 = 4
    }

    /// The most bytes of a text.
    private static let maxTextLength = 255

    /// Returns the fields of a handshake.
    static func bytes(of facts: SecureSessionFacts) -> [UInt8] {
        var bytes: [UInt8] = []
        append(Kind.applicationProtocol, facts.applicationProtocol, to: &bytes)
        append(Kind.authority, facts.serverName, to: &bytes)
        var client = Client.tls
        if facts.peer != nil {
            client |= Client.certificateInSession
            if !facts.isResumed { client |= Client.certificateNow }
        }
        // Zero says that a certificate was verified. One that cannot be never comes so far.
        var content: [UInt8] = [client, 0, 0, 0, facts.peer == nil ? 1 : 0]
        append(Kind.version, facts.version == .tls13 ? "TLSv1.3" : "TLSv1.2", to: &content)
        if let peer = facts.peer { append(Kind.commonName, peer.commonName, to: &content) }
        append(Kind.cipher, facts.cipher, to: &content)
        append(Kind.tls, content, to: &bytes)
        return bytes
    }

    /// Appends a text, unless it is empty.
    private static func append(_ kind: UInt8, _ text: String, to bytes: inout [UInt8]) {
        let content = Array(text.utf8.prefix(maxTextLength + 1))
        // A part of a name is another name.
        if !content.isEmpty, content.count <= maxTextLength { append(kind, content, to: &bytes) }
    }

    private static func append(_ kind: UInt8, _ content: [UInt8], to bytes: inout [UInt8]) {
        bytes += [kind, UInt8(truncatingIfNeeded: content.count >> 8), UInt8(truncatingIfNeeded: content.count)]
        bytes += content
    }
}
