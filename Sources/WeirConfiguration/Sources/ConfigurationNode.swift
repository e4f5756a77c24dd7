/// A part of a configuration with its origin. Whatever the source, aliases and merge keys are resolved, variables
/// expanded and keys distinct.
public struct ConfigurationNode: Sendable {
    /// A key with its value.
    public struct Entry: Sendable {
        /// The key.
        public let key: String
        /// The origin of the key.
        public let keyOrigin: Origin
        /// The value.
        public let value: ConfigurationNode

        /// Joins a key and a value.
        public init(key: String, keyOrigin: Origin, value: ConfigurationNode) {
            self.key = key
            self.keyOrigin = keyOrigin
            self.value = value
        }
    }

    /// The value itself.
    public enum Content: Sendable {
        /// Text after expansion, and as it is written.
        case scalar(text: String, written: String)
        /// Keys with values.
        case mapping([Entry])
        /// A list.
        case sequence([ConfigurationNode])
        /// Nothing: an empty plain scalar, `~` or `null`.
        case null
        /// A value that its source could not read, and has told so.
        case refused
    }

    /// The origin of the value.
    public let origin: Origin
    /// The value itself.
    public let content: Content

    /// Joins a value and its origin.
    public init(origin: Origin, content: Content) {
        self.origin = origin
        self.content = content
    }

    /// The value of a key, where this is a mapping that has it.
    subscript(key: String) -> ConfigurationNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// Whether it is the word that turns something off.
    var isOff: Bool {
        if case .scalar(let text, _) = content { WeirConfiguration.isOff(text) } else { false }
    }

    /// The name of a file, ready for a message: as it is written, never what a variable holds, which may be a secret.
    var fileName: String {
        guard case .scalar(_, let written) = content else { return found }
        return quoted(written)
    }

    /// The same where the file holds secrets, so that one may stand here in its place: no token has less than 16 bytes.
    var secretFileName: String {
        guard case .scalar(let text, let written) = content, text == written, written.utf8.count >= 16,
            !["/", "./", "../"].contains(where: written.hasPrefix)
        else { return fileName }
        return quoted(String(String.UnicodeScalarView(written.unicodeScalars.prefix(8))) + "…")
    }

    /// The value in a few words, for messages about what was found.
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
