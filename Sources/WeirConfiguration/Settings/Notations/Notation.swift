/// How the values of a setting are written: reading them, writing them, and the schema of what can be written.
struct Notation<Value: Equatable & Sendable>: Sendable {
    /// Reads a value. Nil after an error, which is noted.
    let read: @Sendable (ConfigurationNode, _ key: String, ReadingContext) -> Value?
    /// A value as it is written; nil where nothing can be written for it.
    let text: @Sendable (Value) -> String?
    /// The schema for editors.
    let schema: JSONValue
    /// Values as they are written, at least two that differ.
    let examples: [String]

    init(
        _ schema: JSONValue, examples: [String], text: @escaping @Sendable (Value) -> String?,
        read: @escaping @Sendable (ConfigurationNode, _ key: String, ReadingContext) -> Value?
    ) {
        self.schema = schema
        self.examples = examples
        self.text = text
        self.read = read
    }
}

extension Notation {
    /// A value that may be left out, and that no word takes back: another setting stands in its place.
    static func withAlternative<Wrapped>(_ notation: Notation<Wrapped>) -> Notation where Value == Wrapped? {
        Notation(notation.schema, examples: notation.examples, text: { $0.flatMap(notation.text) }) {
            notation.read($0, $1, $2).map { .some($0) }
        }
    }

    /// A value that may be left out; `off` takes it back. Its default is told in words.
    static func optional<Wrapped>(_ notation: Notation<Wrapped>) -> Notation where Value == Wrapped? {
        withAlternative(notation).takingOff(as: nil)
    }

    /// The same, where `off` stands for `value`.
    func takingOff(as value: Value) -> Notation {
        Notation(.anyOf([.off, schema]), examples: examples, text: text) { node, key, context in
            node.isOff ? value : read(node, key, context)
        }
    }

    /// A value, or `off`.
    static func offOr<Wrapped>(_ notation: Notation<Wrapped>) -> Notation where Value == Wrapped? {
        Notation(
            .anyOf([.off, notation.schema]), examples: notation.examples,
            text: { $0.map(notation.text) ?? "off" }
        ) { node, key, context in
            if node.isOff { return .some(nil) }
            return notation.read(node, key, context).map { .some($0) }
        }
    }

    /// The mapping of a section. `initial` is what there is before its keys are read.
    static func section(_ section: Section<Value>, initial: Value, examples: [String]) -> Notation {
        Notation(section.schema, examples: examples, text: { section.text($0) }) { node, key, context in
            var value = initial
            return section.read(node, named: "`\(key)`", into: &value, context) ? value : nil
        }
    }

    /// `off`, or the mapping of a section, such as the first of the examples; nothing at all is neither.
    static func offOrSection<Wrapped>(
        _ section: Section<Wrapped>, initial: Wrapped, examples: [String]
    ) -> Notation where Value == Wrapped? {
        let mapping = Notation<Wrapped>.section(section, initial: initial, examples: examples)
        return offOr(mapping.requiringMapping(such: examples[0]))
    }

    /// The same, where anything else than a mapping is told apart from a section that lacks something.
    func requiringMapping(such example: String) -> Notation {
        Notation(schema, examples: examples, text: text) { node, key, context in
            switch node.content {
            case .mapping: return read(node, key, context)
            case .refused: return nil
            case .scalar, .sequence, .null:
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected `off` or a mapping such as `\(example)`, found \(node.found)")
                return nil
            }
        }
    }
}
