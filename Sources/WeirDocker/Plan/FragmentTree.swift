import NetworkTypes
import WeirConfiguration

/// Writes planned routes as a file would have them.
enum FragmentTree {
    /// The tree with `routes`; nil where there is none.
    static func root(of routes: [PlannedRoute], bind: [BindAddress]) -> ConfigurationNode? {
        guard let first = routes.first else { return nil }
        let entries = routes.map { route in
            ConfigurationNode.Entry(key: route.name, keyOrigin: route.origin, value: node(of: route, bind: bind))
        }
        return mapping(first.origin, [("routes", mapping(first.origin, entries))])
    }

    private static func node(of route: PlannedRoute, bind: [BindAddress]) -> ConfigurationNode {
        let origin = route.origin
        var entries = route.fields
        if !bind.isEmpty {
            entries.append(entry("bind", list(origin, bind.map { text(origin, $0.description) }), origin))
        }
        let members = route.members.map { node(of: $0, in: route) }
        entries.append(entry("upstreams", list(origin, members), origin))
        return mapping(origin, entries)
    }

    private static func node(of member: PlannedMember, in route: PlannedRoute) -> ConfigurationNode {
        let origin = Origin.label(container: member.container, name: nil)
        let name = "\(member.container.prefix(80)):\(route.targetPorts.prefix(40))"
        var entries = [
            ("host", text(origin, member.host.upstream.description)), ("name", text(origin, name)),
        ]
        if let port = member.port { entries.append(("port", text(origin, "\(port)"))) }
        if let weight = member.weight { entries.append(("weight", weight)) }
        if let backup = member.backup { entries.append(("backup", backup)) }
        if member.isDraining { entries.append(("drain", text(origin, "true"))) }
        return mapping(origin, entries)
    }

    static func text(_ origin: Origin, _ text: String) -> ConfigurationNode {
        ConfigurationNode(origin: origin, content: .scalar(text: text, written: text))
    }

    static func entry(_ key: String, _ value: ConfigurationNode, _ origin: Origin) -> ConfigurationNode.Entry {
        ConfigurationNode.Entry(key: key, keyOrigin: origin, value: value)
    }

    private static func list(_ origin: Origin, _ items: [ConfigurationNode]) -> ConfigurationNode {
        ConfigurationNode(origin: origin, content: .sequence(items))
    }

    private static func mapping(_ origin: Origin, _ entries: [ConfigurationNode.Entry]) -> ConfigurationNode {
        ConfigurationNode(origin: origin, content: .mapping(entries))
    }

    private static func mapping(_ origin: Origin, _ entries: [(String, ConfigurationNode)]) -> ConfigurationNode {
        mapping(origin, entries.map { entry($0.0, $0.1, origin) })
    }
}
