import NetworkTypes
import WeirAccess
import WeirConfiguration

/// The access rules of a whole configuration, ready to be asked. Lists that routes, or an earlier plan, have in common
/// are made once.
struct AccessPlan: Sendable {
    private let access: AccessConfiguration
    private let geoip: Configuration.GeoIP?
    private let locator: GeoDatabase?
    private var lists: [[AccessEntry]: AccessList] = [:]
    /// How many rules each list file has, by its path.
    private(set) var ruleCounts: [String: Int] = [:]

    /// Makes what `configuration` asks for; what `previous` has of it is taken over.
    /// - Throws: ``ProxyError/access(_:)`` for what a check of the file would have refused.
    init(_ configuration: Configuration, previous: AccessPlan? = nil) throws(ProxyError) {
        access = configuration.access
        geoip = configuration.geoip
        if let previous, previous.geoip == geoip {
            locator = previous.locator
        } else {
            locator = try Self.open(geoip)
        }
        try take(access.deny, from: previous)
        try take(access.allow, from: previous)
        for route in configuration.routes {
            try take(route.access?.deny ?? [], from: previous)
            try take(route.access?.allow ?? [], from: previous)
        }
        guard let locator else { return }
        let kinds = Set(lists.values.flatMap(\.kinds))
        if let lack = AccessRuleValidator.lack(of: locator, for: kinds.filter { $0 == .country || $0 == .timezone }) {
            throw .access("the database: \(lack)")
        }
    }

    /// Whether routes that are the same otherwise are judged otherwise, or logged elsewhere.
    func differs(from other: AccessPlan) -> Bool {
        access != other.access || geoip != other.geoip
    }

    /// The access rules of a route; nil where there are none, and no log wants the clients that pass.
    func policy(of route: RouteConfiguration) -> AccessPolicy? {
        let own = route.access ?? RouteAccessConfiguration()
        let policy = AccessPolicy(
            global: .init(deny: list(access.deny), allow: list(access.allow)),
            globalDefault: access.defaultAction, allowsLocal: access.allowLocal,
            route: .init(deny: list(own.deny), allow: list(own.allow)),
            routeDefault: own.defaultAction, locator: locator)
        return policy.isOff && access.log?.logAllowed != true ? nil : policy
    }

    /// Whether the rules for all routes deny an address before any route has a say; nil where they deny none so.
    var denyEverywhere: (@Sendable (IPAddress) -> Bool)? {
        let deny = list(access.deny)
        if deny.isEmpty { return nil }
        let policy = AccessPolicy(global: .init(deny: deny), locator: locator)
        return { policy.decide($0, isPeer: false).action == .deny }
    }

    private func list(_ entries: [AccessEntry]) -> AccessList { lists[entries] ?? .empty }

    private mutating func take(_ entries: [AccessEntry], from previous: AccessPlan?) throws(ProxyError) {
        if entries.isEmpty || lists[entries] != nil { return }
        if let previous, let known = previous.lists[entries] {
            lists[entries] = known
            for file in entries.compactMap(\.file) { ruleCounts[file.path] = previous.ruleCounts[file.path] }
        } else {
            lists[entries] = try makeList(entries)
        }
    }

    private mutating func makeList(_ entries: [AccessEntry]) throws(ProxyError) -> AccessList {
        var rules: [AccessList.Entry] = []
        for entry in entries {
            if let file = entry.file {
                let list = AccessListFile(file.bytes, name: file.path)
                if let problem = list.problems.first {
                    throw .access("\(file.path):\(problem.line): \(problem.message)")
                }
                ruleCounts[file.path] = list.entries.count
                rules += list.entries
                continue
            }
            do throws(AccessRule.ParseError) {
                rules.append(AccessList.Entry(try AccessRule(parsing: Array(entry.text.utf8)[...]), text: entry.text))
            } catch {
                throw .access("\(error)")
            }
        }
        return AccessList(rules)
    }

    private static func open(_ geoip: Configuration.GeoIP?) throws(ProxyError) -> GeoDatabase? {
        guard let geoip else { return nil }
        do throws(GeoDatabaseFailure) {
            return try GeoDatabase(geoip.database)
        } catch {
            throw .access("the database: \(error)")
        }
    }
}
