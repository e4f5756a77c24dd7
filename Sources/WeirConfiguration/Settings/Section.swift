/// A mapping of the file: the keys that it may have, and what has to hold between their values.
struct Section<Root: Sendable>: Sendable {
    /// A section that was read, for checks between its keys.
    struct Checked {
        let node: ConfigurationNode
        let entries: SectionEntries
        /// As messages name it.
        let name: String
        let context: ReadingContext
        /// Whether every value by itself was right.
        let isGood: Bool
    }

    let settings: [Setting<Root>]
    /// The keys of all settings.
    let keys: SectionKeys
    /// Looks at all values together. False after an error, which is noted.
    let check: @Sendable (inout Root, Checked) -> Bool

    init(_ settings: [Setting<Root>], check: @escaping @Sendable (inout Root, Checked) -> Bool = { _, _ in true }) {
        self.settings = settings
        self.check = check
        keys = SectionKeys(
            supported: settings.filter { !$0.isLater }.map(\.key), later: settings.filter(\.isLater).map(\.key))
    }

    /// Reads the section into `root`. What is wrong is noted, and leaves what was there. False after an error.
    func read(_ node: ConfigurationNode, named name: String, into root: inout Root, _ context: ReadingContext) -> Bool {
        guard let entries = context.diagnostics.section(node, keys, named: name) else { return false }
        var isGood = true
        for setting in settings {
            guard let variant = setting.variants.first else { continue }
            if let value = entries[setting.key] {
                if !variant.read(value, &root, context) { isGood = false }
            } else if let requirement = setting.requirement {
                context.diagnostics.error(node.origin, "\(name): expected \(requirement), found none")
                isGood = false
            }
        }
        let checked = Checked(node: node, entries: entries, name: name, context: context, isGood: isGood)
        return check(&root, checked) && isGood
    }

    /// The section as it could be written: `{idle: 60s, count: 6}`.
    func text(_ root: Root) -> String {
        let parts = settings.compactMap { setting in
            setting.variants.first?.text(root).map { "\(setting.key): \($0)" }
        }
        return "{\(parts.joined(separator: ", "))}"
    }

    func isEqual(_ left: Root, _ right: Root) -> Bool {
        settings.allSatisfy { $0.variants.first?.isEqual(left, right) ?? true }
    }

    /// The schema of the mapping. One that may be empty may also be nothing at all.
    var schema: JSONValue {
        let required = settings.filter { $0.requirement != nil }.map { JSONValue.string($0.key) }
        let object = JSONValue.string("object")
        var members: [(String, JSONValue)] = [
            ("type", isRoute || required.isEmpty ? .array([object, .string("null")]) : object),
            ("additionalProperties", .bool(false)),
            ("properties", .members(settings.filter { !$0.isLater }.map { ($0.key, $0.schema) })),
        ]
        // What a route must have can also stand in `defaults`.
        if !isRoute, !required.isEmpty { members.append(("required", .array(required))) }
        return .members(members)
    }

    private var isRoute: Bool { Root.self == RouteConfiguration.self }
}

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

extension Setting {
    var isLater: Bool { if case .later = content { true } else { false } }
}

/// The context that the reader of a value needs.
struct ReadingContext {
    let diagnostics: Diagnostics
    let referencedFiles: ReferencedFiles
    /// Whether the file names a database that knows where addresses are.
    let hasDatabase: Bool
}
