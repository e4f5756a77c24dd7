import NetworkTypes
import WeirBalance
import WeirConfiguration
import WeirStream

/// The members that names have now. A name whose members are not known is not in it.
typealias KnownMembers = [MemberSource: ResolvedMembers]

extension RouteConfiguration {
    /// The names whose members are those of the route's upstreams, in the order of the upstreams; nil for an upstream
    /// that is its own only member.
    var memberSources: [MemberSource?] {
        upstreams.map { upstream in
            guard upstream.hasMembers(names), case .name(let name) = upstream.host else { return nil }
            return upstream.isService ? .service(name) : .addresses(of: name, port: upstream.port ?? upstreamPort)
        }
    }

    /// The route as it is served: each name has the members that are known in its place. A name without any stays, so
    /// that its clients wait for its addresses, or fail for want of them. Members beyond those of a set are left out.
    func served(with known: KnownMembers) -> RouteConfiguration {
        let sources = memberSources
        if sources.allSatisfy({ $0 == nil }) { return self }
        var served = self
        let members = zip(upstreams, sources).flatMap { upstream, source in
            let members = source.flatMap { known[$0] }?.members ?? []
            // Members of a family without a source cannot be dialed.
            let found = members.filter { dialFrom?.reaches($0.address.ip) ?? true }
            return found.isEmpty ? [upstream] : upstream.members(found, targetPorts: targetPorts)
        }
        served.upstreams = Array(members.prefix(BalanceConfiguration.maxMembers))
        return served
    }
}

extension UpstreamConfiguration {
    /// The members that the upstream has, with its settings. Those of the lowest priority take clients first, and all
    /// others are backups (RFC 2782, priority).
    fileprivate func members(_ found: [ResolvedMember], targetPorts: String) -> [UpstreamConfiguration] {
        let first = found.map(\.priority).min() ?? 0
        let greatest = found.map(\.weight).max() ?? 0
        return found.map { member in
            var result = self
            result.isService = false
            if !isService { result.hostName = host.description }
            result.host = .address(ScopedAddress(member.address.ip))
            // A port that the name does not have follows the listener of each client.
            result.port = isService ? member.address.port : port
            result.name = nil
            result.source = label(targetPorts: targetPorts)
            if isService { result.weight = Self.share(of: Int(member.weight), greatest: Int(greatest)) }
            if member.priority > first { result.isBackup = true }
            return result
        }
    }

    /// The weight of an SRV record, 0 to 65535, as one from 1 to 256. A record of weight 0 has a very small chance
    /// beside others (RFC 2782, weight).
    private static func share(of weight: Int, greatest: Int) -> Int {
        greatest <= 256 ? max(1, weight) : max(1, weight * 256 / greatest)
    }
}
