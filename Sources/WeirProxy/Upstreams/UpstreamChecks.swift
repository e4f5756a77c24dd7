import LinuxIO
import NetworkTypes
import WeirConfiguration
import WeirHealth
import WeirMetrics
import WeirStream

/// The health checks of all upstreams: which addresses are checked, and whose state a result decides. The checks run on
/// a thread of their own, which starts with the first one.
actor UpstreamChecks {
    /// A member of a route's upstreams.
    struct Member: Hashable, Sendable {
        let key: UpstreamSets.Key
        let name: String
        /// The label of its series, which the members of a name share.
        let label: String

        init(_ route: RouteConfiguration, _ upstream: UpstreamConfiguration) {
            key = UpstreamSets.Key(route)
            name = upstream.text(targetPorts: route.targetPorts)
            label = upstream.label(targetPorts: route.targetPorts)
        }
    }

    /// An upstream that is to be checked.
    private struct Wanted: Sendable, Equatable {
        let check: HealthCheck
        let schedule: CheckSchedule
        let upstream: Upstream
        /// The addresses that checks come from.
        let source: DialSource?
        let encryption: CheckEncryption?
        /// The way through an agent.
        let carrier: CheckCarrier?

        /// The address that checks of an address come from; nil leaves it to the kernel.
        func source(towards address: SocketAddress) -> SocketAddress? {
            source?.address(towards: address.ip).flatMap { SocketAddress(resolving: $0, port: 0) }
        }

        /// Whether an address can be checked: its family has a source, where there are any.
        func reaches(_ address: SocketAddress) -> Bool {
            source == nil || address.isUnix || source(towards: address) != nil
        }

        /// The target of checks of an address.
        func target(_ address: SocketAddress) -> HealthTarget {
            if let path = upstream.host.unixPath {
                return HealthTarget(path: path, check: check, schedule: schedule, encryption: encryption)
            }
            return HealthTarget(
                address: address, check: check, schedule: schedule, source: source(towards: address),
                encryption: encryption, carrier: carrier)
        }
    }

    private struct Checked {
        var wanted: Wanted
        var addresses: [SocketAddress] = []
        /// The watch of its name; nil for an address.
        var watch: Int?
        var tokens: [SocketAddress: UInt64] = [:]
    }

    private let engine: StreamEngine
    private let results: CheckResults
    private var members: [Member: Checked] = [:]
    private var checker: HealthChecker?
    private var nextToken: UInt64 = 0
    private var isEnding = false

    /// The most addresses of one name that are checked.
    private static let maxAddresses = 64

    init(engine: StreamEngine, sets: UpstreamSets, registry: MetricsRegistry) {
        self.engine = engine
        results = CheckResults(sets: sets, registry: registry)
    }

    /// The last result that spoke against an upstream, for the log.
    nonisolated func lastFailure(of member: Member) -> CheckOutcome? { results.lastFailure(of: member) }

    /// Follows the routes of a configuration. Checks of upstreams that stay go on undisturbed. `encryption` has those
    /// of which the checks speak TLS.
    /// - Throws: the call that failed for want of a descriptor or a thread; nothing is checked then.
    ///
    /// `carrier` makes the way to an upstream behind an agent.
    func follow(
        _ routes: [RouteConfiguration], encryption: [Member: CheckEncryption] = [:],
        carrier: @Sendable (Upstream, HealthCheck) -> CheckCarrier?
    ) async throws(SystemError) {
        let wanted = Self.wanted(routes, encryption, carrier)
        for (member, checked) in members {
            if let new = wanted[member], new.upstream == checked.wanted.upstream {
                change(member, from: checked.wanted, to: new)
            } else {
                await forget(member, checked)
            }
        }
        if !wanted.isEmpty, checker == nil {
            let new = try HealthChecker(observer: results)
            try new.start()
            checker = new
        }
        for (member, new) in wanted where members[member] == nil { await begin(member, new) }
        await publish()
    }

    private static func wanted(
        _ routes: [RouteConfiguration], _ encryption: [Member: CheckEncryption],
        _ carrier: (Upstream, HealthCheck) -> CheckCarrier?
    ) -> [Member: Wanted] {
        var wanted: [Member: Wanted] = [:]
        for route in routes {
            // A file has valid values only.
            guard let health = route.health,
                let check = try? health.check(over: route.transport, besideTLS: route.upstreamTLS != nil),
                let targets = try? route.targets
            else { continue }
            for (upstream, target) in zip(route.upstreams, targets) {
                let member = Member(route, upstream)
                // Never in clear where TLS was asked for.
                if check.isEncrypted, encryption[member] == nil || target.behindAgent != nil { continue }
                wanted[member] = Wanted(
                    check: check, schedule: health.schedule, upstream: target, source: route.dialFrom,
                    encryption: encryption[member],
                    carrier: target.behindAgent == nil ? nil : carrier(target, check))
            }
        }
        return wanted
    }

    /// Checks an upstream in another way, or at other times. Its state stays until a check of the new kind decides.
    private func change(_ member: Member, from old: Wanted, to new: Wanted) {
        members[member]?.wanted = new
        if old.check == new.check { return }
        results.change(
            member, new.check, isName: new.upstream.host.isName, isCarried: new.upstream.behindAgent != nil)
    }

    private func begin(_ member: Member, _ wanted: Wanted) async {
        results.begin(
            member, wanted.check, isName: wanted.upstream.host.isName,
            isCarried: wanted.upstream.behindAgent != nil)
        var checked = Checked(wanted: wanted)
        if let literal = wanted.upstream.literal {
            checked.addresses = [literal]
            members[member] = checked
            return
        }
        members[member] = checked
        let watch = await engine.watchAddresses(of: wanted.upstream.host.description) { [weak self] addresses in
            await self?.resolved(member, wanted.upstream, addresses)
        }
        members[member]?.watch = watch
    }

    /// The name of an upstream was looked up.
    private func resolved(_ member: Member, _ upstream: Upstream, _ addresses: [SocketAddress]) async {
        guard let checked = members[member], checked.wanted.upstream == upstream else { return }
        let port = upstream.port
        let new = addresses.prefix(Self.maxAddresses).map { SocketAddress($0.ip, port: port, scope: $0.scope) }
        if new.isEmpty { results.hasNoAddress(member) }
        if new == checked.addresses { return }
        members[member]?.addresses = new
        await publish()
    }

    private func forget(_ member: Member, _ checked: Checked) async {
        members[member] = nil
        results.end(member)
        if let watch = checked.watch {
            await engine.unwatchAddresses(watch, of: checked.wanted.upstream.host.description)
        }
    }

    /// Tells the checker of all addresses.
    private func publish() async {
        guard let checker, !isEnding else { return }
        var subscriptions: [HealthSubscription] = []
        for (member, checked) in members {
            var tokens: [SocketAddress: UInt64] = [:]
            for address in checked.addresses where checked.wanted.reaches(address) {
                let token = checked.tokens[address] ?? makeToken()
                tokens[address] = token
                subscriptions.append(HealthSubscription(checked.wanted.target(address), token: token))
            }
            members[member]?.tokens = tokens
            results.setTokens(Set(tokens.values), of: member)
        }
        await checker.set(subscriptions)
    }

    private func makeToken() -> UInt64 {
        nextToken += 1
        return nextToken
    }

    /// Ends all checks.
    func stop() async {
        isEnding = true
        for (member, checked) in members { await forget(member, checked) }
        await checker?.stop()
    }
}
