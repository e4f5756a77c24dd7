import LinuxIO
import NetworkTypes

/// The name whose records are the members of a set of upstreams.
package enum MemberSource: Hashable, Sendable {
    /// Every address of a host, with one port.
    case addresses(of: String, port: UInt16)
    /// The targets of a service's records (RFC 2782), such as those of `_radius._udp.example.net`.
    case service(String)
}

/// One address to dial.
package struct ResolvedMember: Hashable, Sendable {
    /// The address, with the port of the source or of the service record.
    package let address: SocketAddress
    /// That of the service record: lower numbers are used first. 0 for the addresses of a host.
    package let priority: UInt16
    /// That of the service record: the share among those of one priority. 0 for the addresses of a host, as RFC 2782
    /// says where there is nothing to choose by.
    package let weight: UInt16

    /// A member.
    package init(_ address: SocketAddress, priority: UInt16 = 0, weight: UInt16 = 0) {
        self.address = address
        self.priority = priority
        self.weight = weight
    }
}

/// The members of a set, by priority and address, each address once. Sets of equal records are equal.
package struct ResolvedMembers: Equatable, Sendable {
    /// Counts and names of the things that records have and the set does not.
    package struct Omissions: Equatable, Sendable {
        /// Service records beyond ``ResolvedMembers/maxTargets``, and those with port 0 or a target that is no host
        /// name.
        package var services = 0
        /// Addresses beyond ``ResolvedMembers/maxMembers``.
        package var members = 0
        /// Hosts of which not every address could be looked up, in their order; those that were known before stand in.
        package var hosts: [String] = []
    }

    /// The bound on members.
    package static let maxMembers = 1_000
    /// The bound on service records whose targets are looked up: those of the lowest priorities, then of the highest
    /// weights.
    package static let maxTargets = 64

    /// The members.
    package let members: [ResolvedMember]
    /// The things that are missing.
    package let omissions: Omissions

    /// Brings members into order. Of those with one address, the lowest priority counts, and then the highest weight.
    package init(_ members: [ResolvedMember], omissions: Omissions = Omissions()) {
        var seen: Set<SocketAddress> = []
        let distinct = members.sorted(by: Self.precedes).filter { seen.insert($0.address).inserted }
        self.members = Array(distinct.prefix(Self.maxMembers))
        var omissions = omissions
        omissions.members += distinct.count - self.members.count
        omissions.hosts = Set(omissions.hosts).sorted()
        self.omissions = omissions
    }

    private static func precedes(_ a: ResolvedMember, _ b: ResolvedMember) -> Bool {
        if a.priority != b.priority { return a.priority < b.priority }
        let (first, second) = (a.address, b.address)
        if first.ip != second.ip { return (first.ip.high, first.ip.low) < (second.ip.high, second.ip.low) }
        return (first.port, first.scope, b.weight) < (second.port, second.scope, a.weight)
    }
}
