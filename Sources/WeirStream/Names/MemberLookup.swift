import LinuxIO
import NetworkTypes

/// The records of names. The resolver of members calls it on a thread that may block.
package protocol MemberRecords: Sendable {
    /// The addresses of a host; at least one.
    func addresses(of host: String) throws(AddressLookup.Failure) -> HostAddresses
    /// The service records of a name; at least one, and no target is the root.
    func services(of name: String) throws(AddressLookup.Failure) -> ServiceRecords
}

extension RecordLookup: MemberRecords {}

/// One lookup of a source's members, from one or many lookups of names.
struct MemberLookup: Sendable {
    /// The result of a lookup that succeeded.
    struct Answer: Equatable, Sendable {
        var members: ResolvedMembers
        /// The smallest time to live of all records; nil where no name server was asked.
        var timeToLive: Duration?
        /// The addresses of each host, for the next lookup.
        var memory: [String: [SocketAddress]]
    }

    /// Once a lookup has taken this long, further targets of a service are not asked for: they count as silent.
    static let maxDuration = Duration.seconds(30)

    let records: any MemberRecords
    let clock: MonotonicClock

    /// Looks up the members of a source. Where servers do not answer for some of its hosts, the addresses that `memory`
    /// has of these stand in, and the time to live is 0; where they answer for none, the lookup has failed.
    func members(
        of source: MemberSource, memory: [String: [SocketAddress]]
    ) throws(AddressLookup.Failure) -> Answer {
        switch source {
        case .addresses(let host, let port):
            let outcome = look(up: host, known: memory[host])
            if let failure = outcome.failure { throw failure }
            let members = outcome.addresses.map { ResolvedMember(SocketAddress($0.ip, port: port, scope: $0.scope)) }
            let omissions = ResolvedMembers.Omissions(hosts: outcome.isComplete ? [] : [host])
            return Answer(
                members: ResolvedMembers(members, omissions: omissions), timeToLive: outcome.timeToLive,
                memory: [host: outcome.addresses])
        case .service(let name): return try members(ofService: name, memory: memory)
        }
    }

    private func members(
        ofService name: String, memory: [String: [SocketAddress]]
    ) throws(AddressLookup.Failure) -> Answer {
        let begun = clock.nanoseconds
        let found = try records.services(of: name)
        let services = Self.chosen(of: found.services)
        var omissions = ResolvedMembers.Omissions(services: found.services.count - services.count)
        var timeToLive = found.timeToLive
        var members: [ResolvedMember] = []
        var outcomes: [String: Outcome] = [:]
        for (service, host) in services {
            let isLate = clock.nanoseconds - begun >= Self.maxDuration.clampedNanoseconds
            let known = memory[host]
            // The dot: no search list is tried.
            let outcome =
                outcomes[host] ?? (isLate ? Outcome(.timedOut, known: known) : look(up: host + ".", known: known))
            outcomes[host] = outcome
            timeToLive = min(timeToLive, outcome.timeToLive ?? timeToLive)
            members += outcome.addresses.map { address in
                ResolvedMember(
                    SocketAddress(address.ip, port: service.port, scope: address.scope), priority: service.priority,
                    weight: service.weight)
            }
        }
        let failures = outcomes.values.compactMap(\.failure)
        guard failures.count < outcomes.count else {
            throw [.timedOut, .unavailable].first(where: failures.contains) ?? .notFound
        }
        omissions.hosts = outcomes.filter { !$0.value.isComplete }.map(\.key)
        return Answer(
            members: ResolvedMembers(members, omissions: omissions), timeToLive: timeToLive,
            memory: outcomes.mapValues(\.addresses))
    }

    /// The records that are used, each with the host of its target: those of the lowest priorities, then of the highest
    /// weights. A target that cannot be written has no addresses, and no service has port 0.
    private static func chosen(of services: [DNSService]) -> [(service: DNSService, host: String)] {
        let usable = services.compactMap { service -> (service: DNSService, host: String)? in
            guard service.port != 0, let host = service.target.text else { return nil }
            return (service, host)
        }
        let ordered = usable.sorted { first, second in
            let (a, b) = (first.service, second.service)
            return (a.priority, b.weight, first.host, a.port) < (b.priority, a.weight, second.host, b.port)
        }
        return Array(ordered.prefix(ResolvedMembers.maxTargets))
    }

    // MARK: One host

    /// The result of a lookup of a host.
    private struct Outcome {
        var addresses: [SocketAddress] = []
        var timeToLive: Duration?
        /// Nil where there was an answer.
        var failure: AddressLookup.Failure?
        /// Whether name servers answered for both families.
        var isComplete = true

        /// A lookup that failed. Where the servers have not said that the host has no address, those known before stay.
        init(_ failure: AddressLookup.Failure, known: [SocketAddress]?) {
            self.failure = failure
            isComplete = false
            guard failure != .notFound else { return }
            addresses = known ?? []
            timeToLive = .zero
        }

        /// A lookup that succeeded, perhaps for one family only.
        init(_ found: HostAddresses, known: [SocketAddress]?) {
            addresses = found.addresses
            timeToLive = found.timeToLive
            guard let family = found.unanswered else { return }
            addresses += (known ?? []).filter(family.contains)
            timeToLive = .zero
            isComplete = false
        }
    }

    private func look(up host: String, known: [SocketAddress]?) -> Outcome {
        do throws(AddressLookup.Failure) {
            return Outcome(try records.addresses(of: host), known: known)
        } catch {
            return Outcome(error, known: known)
        }
    }
}
