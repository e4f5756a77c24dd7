/// A page in OpenMetrics text, taken apart without judging it: what a line cannot be is kept as it is.
/// ``OpenMetricsRule`` judges. It shares no code with what makes pages.
package struct OpenMetricsPage: Sendable {
    package struct Label: Hashable, Sendable {
        package var name: String
        package var value: String
    }

    package struct Sample: Hashable, Sendable {
        package var name: String
        package var labels: [Label]
        /// The value as it is written.
        package var number: String

        package func value(of label: String) -> String? { labels.first { $0.name == label }?.value }
        /// Its labels without `le`: what tells one histogram of a family from the other.
        package var ownLabels: Set<Label> { Set(labels.filter { $0.name != "le" }) }
    }

    package enum Line: Sendable {
        case type(family: String, word: String)
        case unit(family: String, text: String)
        case help(family: String, text: String)
        case sample(Sample)
        case end
        /// None of these.
        case other(String)
    }

    /// A run of lines about one family.
    package struct Family: Sendable {
        package var name: String
        /// Words of TYPE lines, and so on; more than one of each is against the rules.
        package var types: [String] = []
        package var units: [String] = []
        package var helps: [String] = []
        package var samples: [Sample] = []
        /// Kinds of its lines in their order: T, U, H, s.
        package var order = ""

        package var type: String { types.first ?? "unknown" }
    }

    package let bytes: [UInt8]
    package private(set) var lines: [Line] = []
    package private(set) var families: [Family] = []

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var texts = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if texts.last?.isEmpty == true { texts.removeLast() }
        for text in texts {
            let line = Self.line(Array(text))
            lines.append(line)
            group(line)
        }
    }

    package init(_ text: String) { self.init(Array(text.utf8)) }

    package var samples: [Sample] { families.flatMap(\.samples) }

    private static func line(_ bytes: [UInt8]) -> Line {
        let text = String(decoding: bytes, as: UTF8.self)
        if text == "# EOF" { return .end }
        for (word, make) in [
            ("# TYPE ", { Line.type(family: $0, word: $1) }), ("# UNIT ", { Line.unit(family: $0, text: $1) }),
            ("# HELP ", { Line.help(family: $0, text: $1) }),
        ] as [(String, (String, String) -> Line)] where text.hasPrefix(word) {
            let parts = bytes.dropFirst(word.utf8.count).split(
                separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return .other(text) }
            return make(String(decoding: parts[0], as: UTF8.self), String(decoding: parts[1], as: UTF8.self))
        }
        guard !text.hasPrefix("#") else { return .other(text) }
        var reader = SampleReader(bytes)
        return reader.read().map(Line.sample) ?? .other(text)
    }

    private mutating func group(_ line: Line) {
        switch line {
        case .type(let name, let word): current(name, "T") { $0.types.append(word) }
        case .unit(let name, let text): current(name, "U") { $0.units.append(text) }
        case .help(let name, let text): current(name, "H") { $0.helps.append(text) }
        case .sample(let sample):
            let name =
                families.last.flatMap { last in
                    Self.sampleNames(of: last.name, type: last.type).contains(sample.name) ? last.name : nil
                } ?? sample.name
            current(name, "s") { $0.samples.append(sample) }
        case .end, .other: break
        }
    }

    private mutating func current(_ name: String, _ order: String, _ change: (inout Family) -> Void) {
        if families.last?.name != name { families.append(Family(name: name)) }
        change(&families[families.count - 1])
        families[families.count - 1].order += order
    }

    /// The names that samples of a family may have.
    package static func sampleNames(of family: String, type: String) -> [String] {
        switch type {
        case "counter": ["_total", "_created"].map { family + $0 }
        case "histogram": ["_bucket", "_count", "_sum", "_created"].map { family + $0 }
        default: [family]
        }
    }
}

/// Reads `name{label="value",…} number` and nothing behind it.
private struct SampleReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    mutating func read() -> OpenMetricsPage.Sample? {
        let name = take { $0 != UInt8(ascii: "{") && $0 != UInt8(ascii: " ") }
        var labels: [OpenMetricsPage.Label] = []
        if take("{"), !take("}") {
            repeat {
                let name = take { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\"") }
                guard take("="), take("\""), let value = value() else { return nil }
                labels.append(.init(name: name, value: value))
            } while take(",")
            guard take("}") else { return nil }
        }
        guard take(" ") else { return nil }
        let number = take { $0 != UInt8(ascii: " ") }
        return rest.isEmpty ? .init(name: name, labels: labels, number: number) : nil
    }

    /// Up to the closing quotation mark; nil where an escape is none of the three.
    private mutating func value() -> String? {
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(validating: value, as: UTF8.self)
            case UInt8(ascii: "\\"):
                switch rest.popFirst() {
                case UInt8(ascii: "n"): value.append(UInt8(ascii: "\n"))
                case UInt8(ascii: "\\"): value.append(UInt8(ascii: "\\"))
                case UInt8(ascii: "\""): value.append(UInt8(ascii: "\""))
                default: return nil
                }
            default: value.append(byte)
            }
        }
        return nil
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func take(while condition: (UInt8) -> Bool) -> String {
        let part = rest.prefix(while: condition)
        rest = rest[part.endIndex...]
        return String(decoding: part, as: UTF8.self)
    }
}
