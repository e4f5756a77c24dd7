import NetworkTypes
import WeirConfiguration

/// The fields of one alias of a container: a mapping, as the file has it under the name of a route.
struct AliasFields: Sendable {
    /// The name of the route.
    let name: String
    /// The fields, in the order in which they were set.
    var entries: [ConfigurationNode.Entry]

    /// The value of a field.
    subscript(key: String) -> ConfigurationNode? { entries.last { $0.key == key }?.value }

    /// The text of a field; nil where it has none, or is a list or a mapping.
    func text(_ key: String) -> String? {
        if case .scalar(let text, _)? = self[key]?.content { text } else { nil }
    }

    /// The ports as they are written, of one value or a list.
    var portTexts: [String] {
        switch self["port"]?.content {
        case .scalar(let text, _)?: return [text]
        case .sequence(let items)?:
            return items.compactMap { if case .scalar(let text, _) = $0.content { text } else { nil } }
        default: return []
        }
    }

    /// The ports, where all of them can be read.
    var ports: [PortMapping]? {
        let mappings = portTexts.map { try? PortMapping(parsing: $0) }
        return mappings.isEmpty || mappings.contains(nil) ? nil : mappings.compactMap(\.self)
    }

    /// The port of health checks where it is another one.
    var portOfChecks: UInt16? {
        guard case .scalar(let text, _)? = self["health"]?.entries.last(where: { $0.key == "port" })?.value.content
        else {
            return nil
        }
        return UInt16(text)
    }

    /// Whether they are those of a stream, among labels that an HTTP proxy reads, too: with a scheme of Weir's, or with
    /// a port to listen on and no other scheme.
    var isStream: Bool {
        if let scheme = self["scheme"] {
            guard case .scalar(let text, _) = scheme.content else { return false }
            return Network(rawValue: text) != nil || ["tcp+udp", "tcp4+udp4", "tcp6+udp6"].contains(text)
        }
        return portTexts.contains { $0.contains(":") }
    }
}

extension ConfigurationNode {
    /// The value with another one at a path below it: mappings are laid over each other, anything else is replaced.
    func laying(_ value: ConfigurationNode, at path: ArraySlice<String>) -> ConfigurationNode {
        guard let key = path.first else { return laying(value) }
        let inner = entry(key)?.value ?? ConfigurationNode(origin: value.origin, content: .mapping([]))
        return setting(key, to: inner.laying(value, at: path.dropFirst()), at: value.origin)
    }

    /// The value with another one over it.
    private func laying(_ value: ConfigurationNode) -> ConfigurationNode {
        guard case .mapping(let entries) = value.content, case .mapping = content else { return value }
        return entries.reduce(self) { node, entry in
            let inner = node.entry(entry.key)?.value ?? ConfigurationNode(origin: value.origin, content: .mapping([]))
            return node.setting(entry.key, to: inner.laying(entry.value), at: entry.keyOrigin)
        }
    }

    private func entry(_ key: String) -> Entry? { entries.first { $0.key == key } }

    /// The entries of a mapping; none of anything else.
    var entries: [Entry] { if case .mapping(let entries) = content { entries } else { [] } }

    private func setting(_ key: String, to value: ConfigurationNode, at origin: Origin) -> ConfigurationNode {
        var entries = entries
        let new = Entry(key: key, keyOrigin: origin, value: value)
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index] = new
        } else {
            entries.append(new)
        }
        return ConfigurationNode(origin: self.origin, content: .mapping(entries))
    }

    /// The tree as a text that is the same for equal trees, whatever the order of their keys and their origins.
    var canonicalText: String {
        switch content {
        case .scalar(let text, _): "\"\(text.replacing(each: "\\", with: "\\\\").replacing(each: "\"", with: "\\\""))\""
        case .sequence(let items): "[\(items.map(\.canonicalText).joined(separator: ","))]"
        case .mapping(let entries):
            "{\(entries.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.canonicalText)" }.joined(separator: ","))}"
        case .null: "~"
        case .refused: "!"
        }
    }
}
