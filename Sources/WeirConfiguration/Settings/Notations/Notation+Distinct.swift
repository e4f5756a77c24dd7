// Lists of values, for which a single value may stand.

extension Notation {
    /// One value or a list of them, of which no two are equal.
    static func distinct<Element: CustomStringConvertible & Hashable & Sendable>(
        _ expected: String, atMost maxCount: Int, examples: [String],
        _ parse: @escaping @Sendable (String) throws(ValueError) -> Element
    ) -> Notation where Value == [Element] {
        Notation(
            .anyOf([.anyText, .list(of: .anyText, 1...maxCount)]), examples: examples,
            text: { values in
                values.isEmpty ? nil : "[\(values.map { flowText($0.description) }.joined(separator: ", "))]"
            }
        ) { node, key, context in
            guard let items = context.diagnostics.oneOrMore(node, key, atMost: maxCount, "entries") else { return nil }
            var seen: Set<Element> = []
            let values = items.map { item -> Element? in
                let value = context.diagnostics.parsed(item, key, expected: expected) {
                    text throws(ValueError) in try parse(text)
                }
                guard let value else { return nil }
                if seen.insert(value).inserted { return value }
                context.diagnostics.error(item.origin, "`\(key)`: \(quoted(value.description)) is named twice")
                return nil
            }
            return values.contains(nil) ? nil : values.compactMap(\.self)
        }
    }
}
