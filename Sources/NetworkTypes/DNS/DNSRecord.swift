/// A record of an answer (RFC 1035 section 3.2.1) of a type that ``DNSMessage`` reads.
package struct DNSRecord: Equatable, Sendable {
    /// The data of a record.
    package enum Content: Equatable, Sendable {
        /// A or AAAA.
        case address(IPAddress)
        /// CNAME: the name that stands for the owner.
        case alias(DNSName)
        /// SRV.
        case service(DNSService)
    }

    /// The name that has the record.
    package let owner: DNSName
    /// The type of the record.
    package let type: DNSRecordType
    /// The time for which the record may be kept, in seconds. A value with the top bit set counts as 0 (RFC 2181
    /// section 8).
    package let timeToLiveSeconds: UInt32
    /// The data.
    package let content: Content
}

/// The data of a service record (RFC 2782).
package struct DNSService: Hashable, Sendable {
    /// Lower numbers are used first.
    package let priority: UInt16
    /// The share among those of one priority.
    package let weight: UInt16
    /// The port of the service.
    package let port: UInt16
    /// The host; the root says that there is no such service.
    package let target: DNSName

    /// A service record's data.
    package init(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }
}

/// The records that answer a question, behind the aliases of its name.
package struct DNSAnswer: Equatable, Sendable {
    /// The data of the records, in the order of the message; none where the name has none of the type.
    package let contents: [DNSRecord.Content]
    /// The smallest time to live of the records and of the aliases before them, in seconds.
    package let timeToLiveSeconds: UInt32
}
