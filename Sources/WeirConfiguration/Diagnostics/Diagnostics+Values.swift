import NetworkTypes

/// Readers of single values: the type is checked here, the text by the pure parsers.
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
