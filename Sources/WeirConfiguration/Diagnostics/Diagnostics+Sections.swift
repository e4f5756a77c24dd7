/// The entries of one mapping by key, once its keys were checked.
struct SectionEntries {
    let entries: [String: ConfigurationNode.Entry]

    subscript(key: String) -> ConfigurationNode? { entries[key]?.value }
}

/// The keys of a section, in the order of its table.
struct SectionKeys {
    let supported: [String]
    /// Refused by this version.
    let later: [String]
}

extension Diagnostics {
    /// Checks a mapping's keys against the table of settings. Nothing at all counts as an empty mapping: it is left
    /// when every line of a section is commented out.
    func section(_ value: ConfigurationNode, _ keys: SectionKeys, named name: String) -> SectionEntries? {
        switch value.content {
        case .mapping(let entries): return SectionEntries(entries: known(entries, of: keys, named: name))
        case .null: return SectionEntries(entries: [:])
        case .refused: return nil
        case .scalar, .sequence:
            error(value.origin, "\(name): expected a mapping, found \(value.found)")
            return nil
        }
    }

    private func known(
        _ entries: [ConfigurationNode.Entry], of keys: SectionKeys, named name: String
    ) -> [String: ConfigurationNode.Entry] {
        var known: [String: ConfigurationNode.Entry] = [:]
        for entry in entries {
            if keys.supported.contains(entry.key) {
                known[entry.key] = entry
            } else if keys.later.contains(entry.key) {
                error(entry.keyOrigin, "\(name): this version of Weir does not support `\(entry.key)` yet")
            } else {
                let suggestion = nearMiss(of: entry.key, among: keys.supported + keys.later)
                let expected = keys.supported.map { "`\($0)`" }.joined(separator: ", ")
                // The list is long; with a suggestion it would only hide it.
                let hint = suggestion == nil ? ", expected one of \(expected)" : ""
                error(entry.keyOrigin, "\(name): unknown key \(quoted(entry.key))\(hint)", suggestion: suggestion)
            }
        }
        return known
    }
}
