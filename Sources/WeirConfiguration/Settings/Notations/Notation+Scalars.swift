/// Durations, numbers and words.
extension Notation where Value == Duration {
    /// A duration that is at least `minimum`.
    static func duration(minimum: Duration = .milliseconds(1), examples: [String] = ["7s", "9s"]) -> Notation {
        Notation(.duration, examples: examples, text: durationText) { node, key, context in
            context.diagnostics.duration(node, key, minimum: minimum)
        }
    }

    /// A duration within bounds.
    static func duration(in bounds: ClosedRange<Duration>, examples: [String]) -> Notation {
        let expected = "a duration from \(durationText(bounds.lowerBound)) to \(durationText(bounds.upperBound))"
        return Notation(.duration, examples: examples, text: durationText) { node, key, context in
            context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                let duration = try parseDuration(text)
                guard bounds.contains(duration) else {
                    throw ValueError("expected \(expected), found \(quoted(text))")
                }
                return duration
            }
        }
    }

    /// A session has no end of its own, so its timer cannot be off.
    static var sessionTimeout: Notation {
        Notation(.duration, examples: ["40s", "50s"], text: durationText) { node, key, context in
            if case .scalar(let text, _) = node.content, isOff(text) {
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected a duration such as `5m`, found `\(text)`, which only TCP has")
                return nil
            }
            return context.diagnostics.duration(node, key)
        }
    }

    /// A time that the kernel counts in whole seconds.
    static func wholeSeconds(_ bounds: ClosedRange<Int>, example: String) -> Notation {
        Notation(
            .duration, examples: ["3s", "4s"], text: { "\($0.components.seconds)s" }
        ) { node, key, context in
            context.diagnostics.parsed(node, key, expected: "a duration such as `\(example)`") {
                text throws(ValueError) in
                let duration = try parseDuration(text)
                let (seconds, rest) = duration.components
                guard bounds.contains(Int(clamping: seconds)), rest == 0 else {
                    throw ValueError(
                        "expected whole seconds from \(bounds.lowerBound)s to \(bounds.upperBound)s, found "
                            + quoted(text))
                }
                return duration
            }
        }
    }
}

extension Notation where Value == Duration? {
    /// A duration, or `off` (also `0`).
    static var durationOrOff: Notation {
        Notation(
            .anyOf([.off, .duration]), examples: ["60s", "90s"], text: { $0.map(durationText) ?? "off" }
        ) { node, key, context in context.diagnostics.durationOrOff(node, key) }
    }
}

extension Notation where Value == Int {
    /// A whole number within bounds.
    static func count(_ bounds: ClosedRange<Int>, examples: [String] = ["5", "6"]) -> Notation {
        Notation(.number(in: bounds), examples: examples, text: { "\($0)" }) { node, key, context in
            context.diagnostics.count(node, key, in: bounds)
        }
    }

    /// A whole number within bounds that may be negative.
    static func wholeNumber(_ bounds: ClosedRange<Int>) -> Notation {
        Notation(.number(in: bounds), examples: ["4", "5"], text: { "\($0)" }) { node, key, context in
            context.diagnostics.wholeNumber(node, key, in: bounds)
        }
    }
}

extension Notation where Value == Int? {
    /// A whole number within bounds, or `off`, which the message of a wrong one names.
    static func countOrOff(_ bounds: ClosedRange<Int>) -> Notation {
        let expected = "a number from \(bounds.lowerBound) to \(bounds.upperBound), or `off`"
        return Notation(
            .anyOf([.off, .number(in: bounds)]), examples: ["5", "6"], text: { $0.map { "\($0)" } ?? "off" }
        ) { node, key, context in
            if node.isOff { return .some(nil) }
            return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                try parseCount(text, in: bounds, expected: expected)
            }
        }
    }
}

extension Notation where Value == AutomaticCount {
    /// A whole number within bounds, or `auto`.
    static func automaticCount(_ bounds: ClosedRange<Int>, examples: [String]) -> Notation {
        Notation(
            .anyOf([.words(["auto"]), .number(in: bounds)]), examples: examples, text: \.description
        ) { node, key, context in context.diagnostics.automaticCount(node, key, in: bounds) }
    }
}

extension Notation where Value == Bool {
    /// `true` or `false`.
    static var flag: Notation {
        Notation(.flag, examples: ["true", "false"], text: { "\($0)" }) { node, key, context in
            context.diagnostics.flag(node, key)
        }
    }
}

extension Notation where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of an enumeration's words.
    static var choice: Notation {
        let words = Value.allCases.map(\.rawValue)
        return Notation(.words(words), examples: words, text: \.rawValue) { node, key, context in
            context.diagnostics.choice(node, key, of: Value.self)
        }
    }
}

extension Notation {
    /// Words for values; `false` and `off` are the words of nil.
    static func words<Wrapped>(
        _ words: KeyValuePairs<String, Wrapped>, texts: @escaping @Sendable (Wrapped) -> String
    ) -> Notation where Value == Wrapped? {
        let meanings = Dictionary(words.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        var all = words.map(\.key)
        all.insert("false", at: all.first == "true" ? 1 : 0)
        let spelled = all
        let expected = "one of " + spelled.map { "`\($0)`" }.joined(separator: ", ")
        let schema = JSONValue.anyOf([.flag, .off, .words(spelled.filter { $0 != "true" && $0 != "false" })])
        return Notation(
            schema, examples: spelled.filter { $0 != "true" && $0 != "false" } + ["false"],
            text: { $0.map(texts) ?? "false" }
        ) { node, key, context in
            if node.isOff { return .some(nil) }
            return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                if text == "false" { return nil }
                if let choice = meanings[text] { return choice }
                throw ValueError(
                    "expected \(expected), found \(quoted(text))", suggestion: nearMiss(of: text, among: spelled))
            }
        }
    }
}
