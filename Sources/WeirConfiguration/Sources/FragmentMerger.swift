/// Makes one tree of those of several sources. Sections merge key by key, `routes` route by route; a value or a route
/// that two sources have is a collision, told where the later one is written, and the earlier one stays.
struct FragmentMerger {
    let diagnostics: Diagnostics

    /// The tree of all; nil where there is none.
    func merge(_ roots: [ConfigurationNode]) -> ConfigurationNode? {
        guard var merged = roots.first else { return nil }
        for root in roots.dropFirst() { merged = merge(merged, root, Configuration.section.settings, below: "") }
        return merged
    }

    private func merge(
        _ earlier: ConfigurationNode, _ later: ConfigurationNode, _ settings: [Setting<Configuration>],
        below prefix: String
    ) -> ConfigurationNode {
        combine(earlier, later, named: prefix.isEmpty ? "the file" : quotedPath(prefix)) { one, other in
            let path = prefix + one.key
            guard let setting = settings.first(where: { $0.key == one.key }) else {
                return collision(one, other, named: quotedPath(path))
            }
            switch setting.content {
            case .group(let children): return merge(one.value, other.value, children, below: path + ".")
            case .structure where setting.key == "routes":
                return combine(one.value, other.value, named: "`routes`") {
                    collision($0, $1, named: "route \(quoted($0.key))")
                }
            case .structure:
                return combine(one.value, other.value, named: quotedPath(path)) {
                    collision($0, $1, named: quotedPath("\(path).\($0.key)"))
                }
            case .value, .later: return collision(one, other, named: quotedPath(path))
            }
        }
    }

    /// The keys of both; `both` says what becomes of one that both have. Nothing at all gives way.
    private func combine(
        _ earlier: ConfigurationNode, _ later: ConfigurationNode, named name: String,
        both: (ConfigurationNode.Entry, ConfigurationNode.Entry) -> ConfigurationNode
    ) -> ConfigurationNode {
        switch (earlier.content, later.content) {
        case (.null, _), (.refused, _): return later
        case (_, .null), (_, .refused): return earlier
        case (.mapping(let entries), .mapping(let others)):
            var merged = entries
            let indices = Dictionary(
                entries.enumerated().map { ($0.element.key, $0.offset) }, uniquingKeysWith: { first, _ in first })
            for other in others {
                guard let index = indices[other.key] else {
                    merged.append(other)
                    continue
                }
                let one = entries[index]
                merged[index] = ConfigurationNode.Entry(
                    key: one.key, keyOrigin: one.keyOrigin, value: both(one, other))
            }
            return ConfigurationNode(origin: earlier.origin, content: .mapping(merged))
        default:
            note(name, at: later.origin, earlier: earlier.origin)
            return earlier
        }
    }

    private func collision(
        _ earlier: ConfigurationNode.Entry, _ later: ConfigurationNode.Entry, named name: String
    ) -> ConfigurationNode {
        note(name, at: later.keyOrigin, earlier: earlier.keyOrigin)
        return earlier.value
    }

    private func note(_ name: String, at origin: Origin, earlier: Origin) {
        diagnostics.error(origin, "\(name) is configured twice, first by \(earlier)")
    }

    private func quotedPath(_ path: String) -> String {
        quoted(path.hasSuffix(".") ? String(path.dropLast()) : path)
    }
}
