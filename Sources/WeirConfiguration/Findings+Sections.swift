/// The entries of one mapping by key, once its keys were checked.
struct SectionEntries {
    let entries: [String: YAMLValue.Entry]

    subscript(key: String) -> YAMLValue? { entries[key]?.value }
}

extension Findings {
    /// Checks a mapping's keys against the table of fields. Nothing at all counts as an empty mapping: that is what is
    /// left when somebody comments out every line of a section.
    func section(_ value: YAMLValue, _ section: ConfigurationField.Section, named name: String) -> SectionEntries? {
        switch value.content {
        case .mapping(let entries):
            return SectionEntries(
                entries: known(entries, of: ConfigurationField.fields(of: section), named: name))
        case .null: return SectionEntries(entries: [:])
        case .refused: return nil
        case .scalar, .sequence:
            error(value.place, "\(name): expected a mapping, found \(value.found)")
            return nil
        }
    }

    private func known(
        _ entries: [YAMLValue.Entry], of fields: [ConfigurationField], named name: String
    ) -> [String: YAMLValue.Entry] {
        var known: [String: YAMLValue.Entry] = [:]
        let supported = fields.filter { $0.support == .supported }.map(\.key)
        for entry in entries {
            guard let field = fields.first(where: { $0.key == entry.key }) else {
                let expected = supported.map { "`\($0)`" }.joined(separator: ", ")
                let suggestion = nearMiss(of: entry.key, among: fields.map(\.key))
                // The list is long; with a suggestion it would only hide it.
                let hint = suggestion == nil ? ", expected one of \(expected)" : ""
                error(entry.keyPlace, "\(name): unknown key \(quoted(entry.key))\(hint)", suggestion: suggestion)
                continue
            }
            switch field.support {
            case .supported: known[entry.key] = entry
            case .later:
                error(entry.keyPlace, "\(name): this version of Weir does not support `\(entry.key)` yet")
            case .laterAndProtects:
                error(
                    entry.keyPlace,
                    "\(name): this version of Weir does not support `\(entry.key)` yet, and ignoring it could let in "
                        + "whom it keeps out: remove it")
            }
        }
        return known
    }
}
