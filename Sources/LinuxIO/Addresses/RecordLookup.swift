import CLinux
import NetworkTypes

/// The addresses of a host, each once, sorted; their ports are 0.
package struct HostAddresses: Equatable, Sendable {
    /// A family of addresses.
    package enum Family: Sendable {
        /// A records.
        case ipv4
        /// AAAA records.
        case ipv6

        /// Whether an address is of this family.
        package func contains(_ address: SocketAddress) -> Bool { address.ip.isIPv4 == (self == .ipv4) }
    }

    /// The addresses.
    package var addresses: [SocketAddress]
    /// The time for which they may be kept: the smallest time of all records and aliases. Nil where no name server was
    /// asked.
    package var timeToLive: Duration?
    /// The family for which no name server had an answer, while there was one for the other.
    package var unanswered: Family?

    /// Addresses from a resolver.
    package init(_ addresses: [SocketAddress], timeToLive: Duration? = nil, unanswered: Family? = nil) {
        self.addresses = addresses
        self.timeToLive = timeToLive
        self.unanswered = unanswered
    }
}

/// The service records of a name (RFC 2782); at least one.
package struct ServiceRecords: Equatable, Sendable {
    /// The records, in the order of the answer.
    package var services: [DNSService]
    /// The time for which they may be kept.
    package var timeToLive: Duration

    /// Records from a name server.
    package init(_ services: [DNSService], timeToLive: Duration) {
        self.services = services
        self.timeToLive = timeToLive
    }
}

/// Look-ups in the domain name system that tell a time to live, which getaddrinfo(3) does not.
///
/// The C library's resolver asks (resolver(3)), with the servers and options of resolv.conf(5) as they are at that
/// time; other sources of nsswitch.conf(5) than files and DNS have no part in it. Look-ups block: never on an event
/// loop.
package struct RecordLookup: Sendable {
    typealias Failure = AddressLookup.Failure
    /// Asks for records of exactly one name. Returns at least one; throws ``AddressLookup/Failure/notFound`` where the
    /// name has none of this type.
    typealias Ask = @Sendable (DNSQuestion) throws(Failure) -> DNSAnswer

    private let searchList: @Sendable () -> SearchList?
    private let ask: Ask
    private let isLocal: @Sendable (String) -> Bool
    private let resolveLocal: @Sendable (String) throws(Failure) -> [SocketAddress]

    /// The bound on bytes of a message (RFC 1035 section 4.2.2).
    private static let maxMessageBytes = 65_535

    init(
        searchList: @escaping @Sendable () -> SearchList?, ask: @escaping Ask,
        isLocal: @escaping @Sendable (String) -> Bool,
        resolveLocal: @escaping @Sendable (String) throws(Failure) -> [SocketAddress]
    ) {
        self.searchList = searchList
        self.ask = ask
        self.isLocal = isLocal
        self.resolveLocal = resolveLocal
    }

    /// The system's name servers and hosts file.
    package static let system = RecordLookup(
        searchList: { SearchList.current() }, ask: { question throws(Failure) in try query(question) },
        isLocal: { HostsFile.contains($0) },
        resolveLocal: { name throws(Failure) in try AddressLookup.resolve(name) })

    /// Looks up a host's addresses of both families. An address literal is its own result; for a name of the hosts file
    /// getaddrinfo(3) is asked. Any other name is tried along the search list, unless it ends with a dot, until one has
    /// an address.
    ///
    /// Where only one family had an answer, that one is returned, and ``HostAddresses/unanswered`` names the other.
    package func addresses(of host: String) throws(AddressLookup.Failure) -> HostAddresses {
        if case .address(let literal) = UpstreamHost(host) {
            // The interface of a link-local address may be missing now.
            guard let address = SocketAddress(resolving: literal, port: 0) else { throw .notFound }
            return HostAddresses([address])
        }
        let plain = host.utf8.last == UInt8(ascii: ".") ? String(host.dropLast()) : host
        if isLocal(plain) { return HostAddresses(Self.sorted(try resolveLocal(plain))) }
        guard let list = searchList() else { throw .unavailable }
        return try first(of: list.candidates(for: host)) { name throws(Failure) in
            try addresses(at: name, skipsIPv6: list.skipsIPv6)
        }
    }

    /// Looks up the service records of a name, such as `_radius._udp.example.net`; along the search list as
    /// ``addresses(of:)``. A name whose only target is the root (`.`), which says that there is no such service, is not
    /// found.
    package func services(of name: String) throws(AddressLookup.Failure) -> ServiceRecords {
        guard let list = searchList() else { throw .unavailable }
        let found = try first(of: list.candidates(for: name)) { name throws(Failure) in
            let answer = try ask(DNSQuestion(name, .srv))
            let services = answer.contents.compactMap { content -> DNSService? in
                if case .service(let service) = content { service } else { nil }
            }
            return ServiceRecords(services, timeToLive: .seconds(Int(answer.timeToLiveSeconds)))
        }
        let services = found.services.filter { !$0.target.isRoot }
        guard !services.isEmpty else { throw .notFound }
        return ServiceRecords(services, timeToLive: found.timeToLive)
    }

    /// The first result for one of several names. A name whose servers fail is passed over, as the C library does; that
    /// failure counts where no other name has a result. Silence ends the search: the servers are the same for all.
    private func first<Result>(
        of names: [DNSName], _ look: (DNSName) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var failure = Failure.notFound
        for name in names {
            do throws(Failure) {
                return try look(name)
            } catch {
                switch error {
                case .notFound: continue
                case .unavailable: failure = .unavailable
                case .timedOut: throw .timedOut
                }
            }
        }
        throw failure
    }

    private func addresses(at name: DNSName, skipsIPv6: Bool) throws(Failure) -> HostAddresses {
        let ipv4 = answer(to: DNSQuestion(name, .a))
        // The same servers would be silent once more.
        if case .failure(.timedOut) = ipv4 { throw .timedOut }
        let ipv6 = skipsIPv6 ? .failure(.notFound) : answer(to: DNSQuestion(name, .aaaa))
        switch (ipv4, ipv6) {
        case (.success(let first), .success(let second)):
            return Self.hostAddresses([first, second])
        case (.success(let answer), .failure(let failure)):
            return Self.hostAddresses([answer], unanswered: failure == .notFound ? nil : .ipv6)
        case (.failure(let failure), .success(let answer)):
            return Self.hostAddresses([answer], unanswered: failure == .notFound ? nil : .ipv4)
        case (.failure(let first), .failure(let second)):
            // Not every server has said that there is nothing.
            throw first == .notFound ? second : first
        }
    }

    private func answer(to question: DNSQuestion) -> Result<DNSAnswer, Failure> {
        Result { () throws(Failure) in try ask(question) }
    }

    private static func hostAddresses(
        _ answers: [DNSAnswer], unanswered: HostAddresses.Family? = nil
    ) -> HostAddresses {
        let addresses = answers.flatMap(\.contents).compactMap { content -> SocketAddress? in
            if case .address(let ip) = content { SocketAddress(ip, port: 0) } else { nil }
        }
        let seconds = answers.map(\.timeToLiveSeconds).min() ?? 0
        return HostAddresses(sorted(addresses), timeToLive: .seconds(Int(seconds)), unanswered: unanswered)
    }

    private static func sorted(_ addresses: [SocketAddress]) -> [SocketAddress] {
        Set(addresses).sorted { ($0.ip.high, $0.ip.low, $0.scope) < ($1.ip.high, $1.ip.low, $1.scope) }
    }

    /// Asks the name servers of resolv.conf(5). An answer that is malformed, or not whole over TCP either, is none.
    private static func query(_ question: DNSQuestion) throws(Failure) -> DNSAnswer {
        guard let text = question.name.text else { throw .notFound }
        var bytes = [UInt8](repeating: 0, count: maxMessageBytes)
        let length = unsafe weir_query_records(text + ".", question.type.rawValue, &bytes, CInt(bytes.count))
        if length == WEIR_RESOLVE_NOT_FOUND.rawValue { throw .notFound }
        if length == WEIR_RESOLVE_TIMED_OUT.rawValue { throw .timedOut }
        guard length >= 0, let message = DNSMessage(bytes.prefix(Int(length))), !message.isTruncated,
            let answer = message.answer(to: question)
        else { throw .unavailable }
        if answer.contents.isEmpty { throw .notFound }
        return answer
    }
}
