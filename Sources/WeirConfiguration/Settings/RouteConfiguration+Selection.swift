import NetworkTypes

// The settings that choose among the upstreams of a route.
extension RouteConfiguration {
    static let selectionSettings: [Setting<RouteConfiguration>] = [
        Setting(
            "balance", \.selection.method, .balance, page: .upstreams,
            "Which upstream a client gets: `round_robin`, each in its turn; `least_connections`; `maglev`, by the "
                + "client's address and alike in every instance; `first`, the first that can be reached."),
        Setting(
            "resolve", \.names,
            .section(
                NameSettings.section, initial: NameSettings(),
                examples: ["{members: all, refresh: 5s}", "{members: all, refresh: 2s}"]
            ).takingOff(as: NameSettings()), page: .upstreams,
            "What names among the upstreams stand for: `{members: all}` makes each address an upstream of its own, and "
                + "follows the records."),
        Setting(
            "health", tcp: (\.health, .health(over: .tcp)), udp: (\.health, .health(over: .udp)),
            page: .upstreams,
            "How upstreams are checked: `{check: tcp, interval: 5s, timeout: 2s, fall: 3, rise: 2}`, or the kind alone: "
                + "`tcp`, `dns`, `postgres`, `redis`, `http`, `send`."),
        Setting(
            "eject", \.selection.ejection,
            .offOrSection(
                Ejection.section, initial: Ejection(),
                examples: ["{failures: 5, for: 10s, at_most: 5m}", "{failures: 3}"]), page: .upstreams,
            "When an upstream is left out because it fails for clients, or `off`. Never the last one."),
        Setting(
            "on_down", \.selection.onDown, .choice, page: .upstreams,
            "The connections of an upstream that is out: `keep` or `close`. Sessions of UDP move to another one."),
        Setting(
            "slow_start", \.selection.slowStart, .durationOrOff, page: .upstreams,
            "The time in which the weight of an upstream that comes back after a failure grows to its full value."),
        Setting(
            "when_none", \.selection.whenNone, .choice, page: .upstreams,
            "What clients get while every upstream is out: `dial` tries backups, then all; `reject` turns them away."),
    ]
}

extension NameSettings {
    static let section = Section<Self>([
        Setting(
            "members", \.members, .choice, "`one`: the addresses of a name are tried in turn; `all`: each is a member."),
        Setting(
            "refresh", \.refresh, .duration(in: refreshBounds, examples: ["2s", "10s"]),
            "The shortest time between two lookups; records that live longer are kept for up to 30 s."),
    ])
}

extension Ejection {
    static let section = Section<Self>(
        [
            Setting("failures", \.failures, .count(1...1_000), "Failures in a row that eject an upstream."),
            Setting("for", \.duration, .duration(), "How long it is left out the first time."),
            Setting("at_most", \.maxDuration, .duration(), "How long it is left out when it goes on failing."),
        ],
        check: { settings, section in
            guard section.isGood, settings.maxDuration < settings.duration else { return true }
            section.context.diagnostics.error(
                section.entries["at_most"]?.origin ?? section.node.origin,
                "\(section.name): `at_most` (\(durationText(settings.maxDuration))) is shorter than `for` "
                    + "(\(durationText(settings.duration)))")
            return false
        })
}

extension Notation where Value == BalanceMethod {
    /// A policy. The words of other proxies get the one that they mean.
    static var balance: Notation {
        let words = BalanceMethod.allCases.map(\.rawValue)
        let expected = "one of " + words.map { "`\($0)`" }.joined(separator: ", ")
        return Notation(.words(words), examples: words, text: \.rawValue) { node, key, context in
            context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                if let balance = BalanceMethod(rawValue: text) { return balance }
                let meant = foreignPolicies[text.lowercased().filter { $0.isLetter }]
                throw ValueError(
                    "expected \(expected), found \(quoted(text))",
                    suggestion: meant?.rawValue ?? nearMiss(of: text, among: words))
            }
        }
    }
}

/// Policies of HAProxy, nginx, Envoy and Traefik, by their letters.
private let foreignPolicies: [String: BalanceMethod] = [
    "roundrobin": .roundRobin, "wrr": .roundRobin, "staticrr": .roundRobin, "random": .roundRobin,
    "leastconn": .leastConnections, "leastconnections": .leastConnections, "leastrequest": .leastConnections,
    "leasttime": .leastConnections, "ptwoc": .leastConnections, "iphash": .maglev, "source": .maglev,
    "hash": .maglev, "hrw": .maglev, "ringhash": .maglev, "sticky": .maglev, "consistent": .maglev,
    "failover": .first, "priority": .first, "order": .first, "activepassive": .first,
]
