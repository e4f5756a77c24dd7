import NetworkTypes

/// A setting that has another value in another configuration.
public struct SettingChange: Sendable, Hashable {
    /// The keys on the way to it: `shutdown.delay`, `routes.ssh.dial_timeout`, or `routes.ssh` for a whole route.
    public let path: String
    /// The value before, as it is written; nil where there was none that could be written.
    public let old: String?
    /// The value now.
    public let new: String?
    /// Whether the old value stays until the process starts anew.
    public let needsRestart: Bool
}

extension SettingChange: CustomStringConvertible {
    /// `shutdown.delay: 0s is now 5s`. Secrets, and lists in files, change without looking different.
    public var description: String {
        if old == new { return "\(path) has changed" }
        return "\(path): \(old ?? "none") is now \(new ?? "none")"
    }
}

extension Configuration {
    /// Every setting that differs from that of an older configuration, in the order of the reference: first what stands
    /// outside of routes, then the routes, those that are gone last.
    public func changes(from old: Configuration) -> [SettingChange] {
        var changes = Configuration.section.settings.changes(from: old, to: self, below: "")
        let before = Dictionary(old.routes.map { (Half($0), $0) }, uniquingKeysWith: { first, _ in first })
        let now = Set(routes.map { Half($0) })
        var seen: Set<SettingChange> = []
        // The settings of an agent are told by themselves.
        for route in routes where route.ownAgent == nil {
            let path = "routes.\(route.name)"
            let half = Half(route)
            // A route that changes its transport is the same route.
            guard let earlier = before[half] ?? (now.contains(half.other) ? nil : before[half.other]) else {
                changes.append(
                    SettingChange(path: path, old: nil, new: RouteConfiguration.text(route), needsRestart: false))
                continue
            }
            if route == earlier { continue }
            let settings = RouteConfiguration.settings.filter { $0.variant(for: route.transport) != nil }
            // Both halves of a route have most settings in common.
            changes += settings.changes(from: earlier, to: route, below: path + ".").filter { seen.insert($0).inserted }
        }
        for route in old.routes where route.ownAgent == nil {
            let half = Half(route)
            if now.contains(half) || now.contains(half.other) && before[half.other] == nil { continue }
            changes.append(
                SettingChange(
                    path: "routes.\(route.name)", old: RouteConfiguration.text(route), new: nil, needsRestart: false))
        }
        return changes
    }

    /// The settings that differ from those the process started with but are fixed for its life: what a reload cannot
    /// change and must warn about. Empty if nothing of the kind changed.
    public func reloadDifferences(from old: Configuration) -> [String] {
        changes(from: old).filter(\.needsRestart).map(\.path)
    }

    /// This configuration with the values of an older one wherever only a restart would change them.
    public func keepingFixedSettings(of old: Configuration) -> Configuration {
        var kept = self
        Configuration.section.settings.copyFixed(from: old, to: &kept)
        return kept
    }
}

/// A route by its name and transport: one with `tcp+udp` is two.
private struct Half: Hashable {
    let name: String
    let transport: Transport

    init(_ route: RouteConfiguration) {
        name = route.name
        transport = route.transport
    }

    private init(_ name: String, _ transport: Transport) {
        self.name = name
        self.transport = transport
    }

    /// The route of the same name with the other transport.
    var other: Half { Half(name, transport == .tcp ? .udp : .tcp) }
}

extension RouteConfiguration {
    /// A route in short: where it listens and where it leads.
    fileprivate static func text(_ route: RouteConfiguration) -> String {
        "\(route.listenText) to \(route.upstreamText)"
    }
}

extension [Setting<RouteConfiguration>] {
    fileprivate func changes(
        from old: RouteConfiguration, to new: RouteConfiguration, below prefix: String
    ) -> [SettingChange] {
        compactMap { setting in
            guard let variant = setting.variant(for: new.transport), !variant.isEqual(old, new) else { return nil }
            return SettingChange(
                path: prefix + setting.key,
                old: setting.variant(for: old.transport)?.text(old), new: variant.text(new),
                needsRestart: setting.reload == .restart)
        }
    }
}

extension [Setting<Configuration>] {
    /// Values come before the sections beside them.
    fileprivate func changes(
        from old: Configuration, to new: Configuration, below prefix: String
    ) -> [SettingChange] {
        var values: [SettingChange] = []
        var groups: [SettingChange] = []
        for setting in self {
            guard let variant = setting.variants.first, !variant.isEqual(old, new) else { continue }
            switch setting.content {
            case .group(let settings):
                groups += settings.changes(from: old, to: new, below: "\(prefix)\(setting.key).")
            case .value:
                values.append(
                    SettingChange(
                        path: prefix + setting.key, old: variant.text(old), new: variant.text(new),
                        needsRestart: setting.reload == .restart))
            case .structure, .later: continue
            }
        }
        return values + groups
    }

    fileprivate func copyFixed(from old: Configuration, to new: inout Configuration) {
        for setting in self {
            if case .group(let settings) = setting.content { settings.copyFixed(from: old, to: &new) }
            if setting.reload == .restart { setting.variants.first?.copy(old, &new) }
        }
    }
}
