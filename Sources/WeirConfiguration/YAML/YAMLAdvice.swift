/// Says what to put in quotes where a plain value means something else to YAML: libyaml's words help its developers.
///
/// It looks at the line of the error only, and at the one before it: a guess that is worded as one.
struct YAMLAdvice {
    let location: SourceLocation
    let message: String
    /// The value in quotes.
    let suggestion: String?

    /// How much of a line is looked at, in Unicode scalars.
    private static let maxLineLength = 1024
    /// The longest value that is repeated as a suggestion.
    private static let maxValueLength = 120

    /// Nil where the text shows no such mistake.
    init?(on error: YAMLError, in text: String) {
        guard let location = error.location else { return nil }
        let lines = text.unicodeScalars.split(
            separator: "\n", maxSplits: location.line, omittingEmptySubsequences: false)
        for number in [location.line, location.line - 1] where number >= 1 && number <= lines.count {
            let line = Array(lines[number - 1].prefix(Self.maxLineLength).prefix { $0 != "\r" })
            let column = number == location.line ? location.column : nil
            guard let found = Self.find(in: line, at: column, error.message) else { continue }
            self.init(line: number, found, at: location)
            return
        }
        return nil
    }

    private init(line: Int, _ found: Finding, at errorLocation: SourceLocation) {
        location = found.column.map { SourceLocation(line: line, column: $0 + 1) } ?? errorLocation
        message = found.message
        suggestion = found.value.map { "\"\($0)\"" }
    }

    private struct Finding {
        /// Nil where the parser's own location is the best.
        let column: Int?
        let message: String
        let value: String?
    }

    private static func find(in line: [Unicode.Scalar], at column: Int?, _ problem: String) -> Finding? {
        if let tab = line.prefix(while: { $0 == " " || $0 == "\t" }).firstIndex(of: "\t") {
            return Finding(
                column: tab, message: "found a tab before the first word, where YAML takes blanks only", value: nil)
        }
        if let address = bracketedAddress(in: line) { return address }
        // The location of the error, where it is on a sign; else the values of the line.
        var starts = valueStarts(of: line)
        if let column, column >= 1, column <= line.count, meanings[line[column - 1]] != nil {
            starts.insert(column - 1, at: 0)
        }
        // A list or a mapping is the last guess, and only where text follows it: most of them are meant.
        for start in starts where line[start] != "[" && line[start] != "{" {
            guard let meaning = meanings[line[start]] else { continue }
            let value = plainValue(of: line, from: start)
            // A name that no anchor has is a misspelled one rather than text.
            let isName = value.dropFirst().utf8.allSatisfy { isAlphanumeric($0) }
            if problem.contains(text: "undefined alias"), isName { continue }
            return finding(line[start], meaning, start, value)
        }
        for start in starts where line[start] == "[" || line[start] == "{" {
            let value = plainValue(of: line, from: start)
            let close: Character = line[start] == "[" ? "]" : "}"
            let isText = value.hasPrefix("{{") || value.contains(close) && value.last != close
            guard isText, let meaning = meanings[line[start]] else { continue }
            return finding(line[start], meaning, start, value)
        }
        guard problem.contains(text: "mapping values are not allowed"), let start = starts.first else { return nil }
        let message = "\(problem): text that has a colon with a blank behind it stands in quotes"
        return Finding(column: nil, message: message, value: shown(plainValue(of: line, from: start)))
    }

    private static func finding(_ sign: Unicode.Scalar, _ meaning: String, _ start: Int, _ value: String) -> Finding {
        let message = "`\(sign)` begins \(meaning) in YAML: a value that begins with it stands in quotes"
        return Finding(column: start, message: message, value: shown(value))
    }

    /// The constructs that signs begin where a value begins with one.
    private static let meanings: [Unicode.Scalar: String] = [
        "*": "an alias", "&": "an anchor", "!": "a tag", "[": "a list", "{": "a mapping", "%": "a directive",
        "@": "nothing that is allowed", "`": "nothing that is allowed", "|": "a block of text", ">": "a block of text",
    ]

    /// An address in brackets with something behind them, outside of quotes: `[::]:9847`.
    private static func bracketedAddress(in line: [Unicode.Scalar]) -> Finding? {
        var quote: Unicode.Scalar?
        for (index, scalar) in line.enumerated() {
            if let open = quote {
                if scalar == open { quote = nil }
                continue
            }
            if scalar == "\"" || scalar == "'" { quote = scalar }
            guard scalar == "[", let close = line[index...].firstIndex(of: "]") else { continue }
            let inner = line[(index + 1)..<close]
            guard inner.count(where: { $0 == ":" }) >= 2, inner.allSatisfy(isAddressScalar) else { continue }
            let port = line[(close + 1)...].prefix { $0 == ":" || ("0"..."9").contains($0) }
            let value = text(line[index...close]) + text(port)
            let message = "`[` begins a list in YAML: an address in brackets stands in quotes"
            return Finding(column: index, message: message, value: value)
        }
        return nil
    }

    private static func isAddressScalar(_ scalar: Unicode.Scalar) -> Bool {
        (scalar.properties.isASCIIHexDigit || ":.%".unicodeScalars.contains(scalar)) && scalar.isASCII
    }

    /// The indices at which values begin: behind `key: ` and `- `.
    private static func valueStarts(of line: [Unicode.Scalar]) -> [Int] {
        line.indices.filter { index in
            guard index > 0, line[index] != " ", line[index - 1] == " " else { return false }
            let before = line[..<index].last { $0 != " " }
            return before == ":" || before == "-" || before == "{" || before == "["
        }
    }

    /// The value up to a comment or the end of the line, without the comma or bracket of what it stands in.
    private static func plainValue(of line: [Unicode.Scalar], from start: Int) -> String {
        var end = start
        while end < line.count, !(line[end] == "#" && line[end - 1] == " ") { end += 1 }
        let isWithin = line[..<start].contains { $0 == "{" || $0 == "[" }
        let stop = line[start..<end].firstIndex { ",}]".unicodeScalars.contains($0) }
        if isWithin, let stop { end = stop }
        while end > start, line[end - 1] == " " { end -= 1 }
        return text(line[start..<end])
    }

    private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars)
        return text
    }

    private static func shown(_ value: String) -> String? {
        let isPlain = value.utf8.count <= maxValueLength && !value.contains("\"") && !value.contains("\\")
        return isPlain && !value.isEmpty ? value : nil
    }
}
