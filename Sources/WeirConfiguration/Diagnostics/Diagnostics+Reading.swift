import NetworkTypes

// Readers of sections, values and lists. They check types and note errors; the pure parsers check texts.

// MARK: Sections

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
                refuse(entry, of: keys, named: name)
            }
        }
        return known
    }

    /// Names the key that was meant: the setting that a word of another proxy stands for, or the nearest; else a few
    /// guesses, because a list of all keys tells nothing.
    private func refuse(_ entry: ConfigurationNode.Entry, of keys: SectionKeys, named name: String) {
        let message = "\(name): unknown key \(quoted(entry.key))"
        if let (key, remark) = ForeignWords.meaning(of: entry.key, among: keys.supported) {
            error(entry.keyOrigin, "\(message): \(remark)", suggestion: key)
        } else if let suggestion = nearMiss(of: entry.key, among: keys.supported + keys.later) {
            error(entry.keyOrigin, message, suggestion: suggestion)
        } else {
            let guesses = keys.supported.count <= 3 ? keys.supported : related(to: entry.key, among: keys.supported)
            let names = guesses.map { "`\($0)`" }.joined(separator: ", ")
            let expected = guesses.isEmpty ? "" : ", expected one of \(names)"
            let rest = guesses.count == keys.supported.count ? "" : "; `weir schema` lists all keys"
            error(entry.keyOrigin, message + expected + rest)
        }
    }
}

// MARK: Single values

extension Diagnostics {
    /// The text of a scalar. `expected` says what should stand here.
    func text(_ value: ConfigurationNode, _ key: String, expected: String) -> String? {
        switch value.content {
        case .scalar(let text, _): return text
        case .refused: return nil
        case .sequence(let items) where items.count == 1:
            // `host: [::1]` without quotes is a list to YAML.
            if case .scalar(let text, _) = items[0].content, text.contains(":"),
                ScopedAddress(text) != nil
            {
                error(value.origin, "`\(key)`: expected \(expected), found a list", suggestion: "\"[\(text)]\"")
                return nil
            }
            fallthrough
        default:
            error(value.origin, "`\(key)`: expected \(expected), found \(value.found)")
            return nil
        }
    }

    /// A scalar read by one of the pure parsers.
    func parsed<Value>(
        _ value: ConfigurationNode, _ key: String, expected: String, _ parse: (String) throws(ValueError) -> Value
    ) -> Value? {
        guard let text = text(value, key, expected: expected) else { return nil }
        do {
            return try parse(text)
        } catch {
            var message = "`\(key)`: \(error.message)"
            // The file shows the variable, not its value.
            if case .scalar(_, let written) = value.content, written != text { message += " (from \(quoted(written)))" }
            self.error(value.origin, message, suggestion: error.suggestion)
            return nil
        }
    }

    /// The items of a list, or the value itself, which stands for a list of one. Nil after an error: for an empty list,
    /// and one of more than `maxCount`.
    func oneOrMore(
        _ value: ConfigurationNode, _ key: String, atMost maxCount: Int, _ plural: String
    ) -> [ConfigurationNode]? {
        guard case .sequence(let items) = value.content else { return [value] }
        if (1...maxCount).contains(items.count) { return items }
        error(value.origin, "`\(key)`: expected 1 to \(maxCount) \(plural), found \(items.count)")
        return nil
    }

    /// A duration that is at least `minimum`.
    func duration(_ value: ConfigurationNode, _ key: String, minimum: Duration = .milliseconds(1)) -> Duration? {
        parsed(value, key, expected: "a duration such as `5s`") { text throws(ValueError) in
            let duration = try parseDuration(text)
            guard duration >= minimum else {
                throw ValueError("expected a duration of at least \(durationText(minimum)), found \(quoted(text))")
            }
            return duration
        }
    }

    /// A duration, or `off` (also `0`). The outer nil is an error, the inner one is off.
    func durationOrOff(_ value: ConfigurationNode, _ key: String) -> Duration?? {
        if case .scalar(let text, _) = value.content, isOff(text) || text.isZeroDuration { return .some(nil) }
        let duration = parsed(value, key, expected: "a duration such as `10m`, or `off`") { text throws(ValueError) in
            let duration = try parseDuration(text)
            guard duration >= .milliseconds(1) else {
                throw ValueError("expected a duration of at least 1ms, or `off`, found \(quoted(text))")
            }
            return duration
        }
        return duration.map { .some($0) }
    }

    /// A whole number within bounds.
    func count(_ value: ConfigurationNode, _ key: String, in range: ClosedRange<Int>) -> Int? {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        return parsed(value, key, expected: expected) { text throws(ValueError) in
            try parseCount(text, in: range, expected: expected)
        }
    }

    /// A whole number within bounds that may be negative.
    func wholeNumber(_ value: ConfigurationNode, _ key: String, in range: ClosedRange<Int>) -> Int? {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        return parsed(value, key, expected: expected) { text throws(ValueError) in
            guard text.hasPrefix("-") else { return try parseCount(text, in: range, expected: expected) }
            let magnitudes = 0...max(0, -range.lowerBound)
            guard let magnitude = try? parseCount(String(text.dropFirst()), in: magnitudes, expected: expected) else {
                throw ValueError("expected \(expected), found \(quoted(text))")
            }
            return -magnitude
        }
    }

    /// A whole number within bounds, or `auto`.
    func automaticCount(_ value: ConfigurationNode, _ key: String, in range: ClosedRange<Int>) -> AutomaticCount? {
        let expected = "`auto` or a number from \(range.lowerBound) to \(range.upperBound)"
        return parsed(value, key, expected: expected) { text throws(ValueError) in
            if text == "auto" { return .automatic }
            return .fixed(try parseCount(text, in: range, expected: expected))
        }
    }

    /// `true` or `false`.
    func flag(_ value: ConfigurationNode, _ key: String) -> Bool? {
        parsed(value, key, expected: "`true` or `false`") { text throws(ValueError) in
            switch text {
            case "true", "True", "TRUE": return true
            case "false", "False", "FALSE": return false
            default:
                let isOff = ["no", "off", "0"].contains(text.lowercased())
                let isOn = ["yes", "on", "1"].contains(text.lowercased())
                throw ValueError(
                    "expected `true` or `false`, found \(quoted(text))",
                    suggestion: isOff ? "false" : isOn ? "true" : nil)
            }
        }
    }

    /// One of an enumeration's words.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ value: ConfigurationNode, _ key: String, of type: Choice.Type
    ) -> Choice? where Choice.RawValue == String {
        let words = type.allCases.map(\.rawValue)
        let expected = "one of " + words.map { "`\($0)`" }.joined(separator: ", ")
        return parsed(value, key, expected: expected) { text throws(ValueError) in
            if let choice = Choice(rawValue: text) { return choice }
            throw ValueError(
                "expected \(expected), found \(quoted(text))", suggestion: nearMiss(of: text, among: words))
        }
    }
}

// MARK: Lists of addresses and blocks

extension Diagnostics {
    /// A list that is longer is asked for something else: each peer is looked up in it.
    private static let maxBlocks = 10_000

    /// The blocks of a list; nil after an error. `ofEverything` says what a block means that holds every address.
    func blocks(_ value: ConfigurationNode, _ key: String, ofEverything meaning: String) -> [IPPrefix]? {
        switch value.content {
        case .null: return []
        case .refused: return nil
        case .sequence(let items):
            if items.count > Self.maxBlocks {
                error(value.origin, "`\(key)`: expected at most \(Self.maxBlocks) blocks, found \(items.count)")
                return nil
            }
            let blocks = items.map { block($0, key, ofEverything: meaning) }
            return blocks.contains(nil) ? nil : blocks.compactMap { $0 }
        case .scalar, .mapping:
            error(value.origin, "`\(key)`: expected a list such as `[10.0.0.0/8]`, found \(value.found)")
            return nil
        }
    }

    private func block(_ item: ConfigurationNode, _ key: String, ofEverything meaning: String) -> IPPrefix? {
        let block = parsed(item, key, expected: "an address or a block such as `10.0.0.0/8`") {
            text throws(ValueError) in try IPPrefix(configured: text)
        }
        if let block, block.isEverything {
            warning(item.origin, "`\(key)`: `\(block)` is every address: \(meaning)")
        }
        return block
    }
}

// MARK: Texts

/// The words that turn a timer off. `off` unquoted is a boolean to some YAML readers, but here it is text.
func isOff(_ text: String) -> Bool { text == "off" || text == "Off" || text == "OFF" }

extension String {
    /// `0`, `0s` and the like.
    fileprivate var isZeroDuration: Bool { (try? parseDuration(self)) == .zero }
}

/// Reads decimal digits without sign or separator.
func parseCount(_ text: String, in range: ClosedRange<Int>, expected: String) throws(ValueError) -> Int {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty, bytes.count <= 18, bytes.allSatisfy(isDigit) else {
        throw ValueError("expected \(expected), found \(quoted(text))")
    }
    let value = bytes.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    guard range.contains(value) else { throw ValueError("expected \(expected), found \(quoted(text))") }
    return value
}
