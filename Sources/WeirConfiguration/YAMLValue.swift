/// A part of a file, with its place: what ``YAMLReader`` makes of Yams' nodes. Aliases and merge keys are resolved,
/// variables expanded, keys distinct.
struct YAMLValue {
    /// One key and its value.
    struct Entry {
        let key: String
        let keyPlace: SourceLocation
        let value: YAMLValue
    }

    enum Content {
        /// Text after expansion, and as it is written.
        case scalar(text: String, written: String)
        case mapping([Entry])
        case sequence([YAMLValue])
        /// Nothing: an empty plain scalar, `~` or `null`.
        case null
        /// An error was noted already.
        case refused
    }

    let place: SourceLocation
    let content: Content

    /// The value of a key, where this is a mapping that has it.
    subscript(key: String) -> YAMLValue? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// Whether it is the word that turns something off.
    var isOff: Bool {
        if case .scalar(let text, _) = content { WeirConfiguration.isOff(text) } else { false }
    }

    /// What was found, for messages.
    var found: String {
        switch content {
        case .scalar(let text, let written):
            text == written ? quoted(text) : "\(quoted(text)) (from \(quoted(written)))"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .null: "nothing"
        case .refused: "an error"
        }
    }
}
