/// The types of records that Weir asks for or reads, with their numbers.
package enum DNSRecordType: UInt16, Sendable {
    /// An IPv4 address (RFC 1035 section 3.4.1).
    case a = 1
    /// A name server.
    case ns = 2
    /// An alias (RFC 1035 section 3.3.1).
    case cname = 5
    /// The start of a zone's authority.
    case soa = 6
    /// A mail exchanger.
    case mx = 15
    /// Text.
    case txt = 16
    /// An IPv6 address (RFC 3596).
    case aaaa = 28
    /// A service (RFC 2782).
    case srv = 33
}

/// A question to a name server (RFC 1035 section 4.1.2), for records of the Internet's class.
package struct DNSQuestion: Hashable, Sendable {
    /// The name that is asked for.
    package let name: DNSName
    /// The type of records that is asked for.
    package let type: DNSRecordType

    /// The number of the Internet's class.
    static let internetClass: UInt16 = 1

    /// A question.
    package init(_ name: DNSName, _ type: DNSRecordType) {
        self.name = name
        self.type = type
    }

    /// The question section of a message: name, type and class.
    package var bytes: [UInt8] {
        name.bytes
            + [type.rawValue, Self.internetClass].flatMap { number in
                [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
            }
    }
}
