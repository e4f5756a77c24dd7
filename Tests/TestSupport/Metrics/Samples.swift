/// One scrape in the text format 0.0.4, read strictly: anything out of the ordinary is an error.
package struct Samples: Sendable {
    package struct Series: Hashable, Sendable {
        package var name: String
        package var labels: [String: String]

        package init(name: String, labels: [String: String]) {
            self.name = name
            self.labels = labels
        }
    }

    package struct Malformed: Error, CustomStringConvertible {
        package let description: String
    }

    package private(set) var values: [Series: Double] = [:]
    /// The `TYPE` of every family.
    package private(set) var types: [String: String] = [:]
    package private(set) var helps: [String: String] = [:]
    package let text: String

    package init(_ text: String) throws {
        self.text = text
        guard text.hasSuffix("\n") else { throw Malformed(description: "the last line has no end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.hasPrefix("# ") {
                let words = line.split(separator: " ", maxSplits: 3).map(String.init)
                guard words.count >= 3 else { throw Malformed(description: String(line)) }
                switch words[1] {
                case "TYPE":
                    guard words.count == 4, types.updateValue(words[3], forKey: words[2]) == nil else {
                        throw Malformed(description: "a second TYPE: \(line)")
                    }
                case "HELP": helps[words[2]] = words.count == 4 ? words[3] : ""
                default: continue
                }
            } else {
                var reader = LineReader(line)
                let (series, value) = try reader.sample()
                guard values.updateValue(value, forKey: series) == nil else {
                    throw Malformed(description: "a second time: \(line)")
                }
            }
        }
    }

    /// The value of exactly this series; labels must be complete.
    package subscript(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        values[Series(name: name, labels: labels)]
    }

    /// The sum over every series of the name that has at least these labels.
    package func total(_ name: String, _ labels: [String: String] = [:]) -> Int {
        Int(matching(name, labels).reduce(0) { $0 + $1.value })
    }

    package func matching(_ name: String, _ labels: [String: String] = [:]) -> [(key: Series, value: Double)] {
        values.filter { series, _ in
            series.name == name && labels.allSatisfy { series.labels[$0.key] == $0.value }
        }
    }
}

/// Reads `name{label="value",…} number`.
private struct LineReader {
    private let line: Substring
    private var rest: Substring

    init(_ line: Substring) {
        self.line = line
        rest = line
    }

    mutating func sample() throws -> (Samples.Series, Double) {
        let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == ":" }
        guard !name.isEmpty else { throw malformed("name") }
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if take("{") {
            while !take("}") {
                let (label, value) = try labelPair()
                guard labels.updateValue(value, forKey: label) == nil else { throw malformed("label twice") }
                if !take(",") {
                    guard take("}") else { throw malformed("end of labels") }
                    break
                }
            }
        }
        guard take(" ") else { throw malformed("space") }
        guard let value = number(rest) else { throw malformed("value") }
        return (Samples.Series(name: String(name), labels: labels), value)
    }

    private mutating func labelPair() throws -> (String, String) {
        let label = rest.prefix { $0 != "=" && $0 != "}" }
        rest = rest.dropFirst(label.count)
        guard !label.isEmpty, take("="), take("\"") else { throw malformed("label") }
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return (String(label), value)
            case "\\":
                switch rest.popFirst() {
                case "n": value.append("\n")
                case "\\": value.append("\\")
                case "\"": value.append("\"")
                default: throw malformed("escape")
                }
            default: value.append(character)
            }
        }
        throw malformed("label value")
    }

    private mutating func take(_ character: Character) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    private func number(_ text: Substring) -> Double? {
        switch text {
        case "+Inf": .infinity
        case "-Inf": -.infinity
        case "NaN": .nan
        default: Double(text)
        }
    }

    private func malformed(_ part: String) -> Samples.Malformed {
        Samples.Malformed(description: "\(part): \(line)")
    }
}
