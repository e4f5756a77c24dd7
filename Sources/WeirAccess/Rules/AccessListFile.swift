/// A list file: a rule, an address or a block on each line.
///
/// `#` and `;` begin a comment, at the start of a line or behind a blank: the forms in which public block lists come.
public struct AccessListFile: Sendable {
    /// A line that cannot be used.
    public struct Problem: Hashable, Sendable {
        /// From 1.
        public let line: Int
        /// The expected and the found text.
        public let message: String
        /// The exact text that was probably meant.
        public let suggestion: String?
    }

    /// The largest file, in bytes.
    public static let maxBytes = 32 << 20
    /// The most rules in one file.
    public static let maxRules = 1_000_000
    /// The most problems that are told of one file; the last one says how many lines more are wrong.
    public static let maxProblems = 20

    /// How much of a line that is no rule a problem shows, in bytes: the file may be another than was meant.
    private static let maxShownByteCount = 8

    /// The rules in their order.
    public private(set) var entries: [AccessList.Entry] = []
    /// The errors in the file; a file that has any must not be used.
    public private(set) var problems: [Problem] = []

    /// Reads a file's bytes. `name` stands before the line in what a rule is called later. Pure: it never traps.
    public init(_ bytes: [UInt8], name: String) {
        var line = 0
        var untold = 0
        var rest = bytes[...]
        if rest.starts(with: [0xef, 0xbb, 0xbf]) { rest = rest.dropFirst(3) }
        guard bytes.count <= Self.maxBytes else {
            problems = [Problem(line: 1, message: "expected a file of at most 32 MiB, found more", suggestion: nil)]
            return
        }
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            let content = Self.content(of: rest[..<end])
            rest = end < rest.endIndex ? rest[(end + 1)...] : []
            line += 1
            if content.isEmpty { continue }
            guard entries.count < Self.maxRules else {
                let message = "expected at most \(Self.maxRules) rules, found more"
                problems.append(Problem(line: line, message: message, suggestion: nil))
                return
            }
            do throws(AccessRule.ParseError) {
                let rule = try AccessRule(parsingBare: content)
                let text = String(decoding: content, as: UTF8.self)
                entries.append(
                    AccessList.Entry(rule, text: text, list: name, line: UInt32(truncatingIfNeeded: line)))
            } catch {
                if problems.count < Self.maxProblems - 1 {
                    let message = error.message(maxFoundByteCount: Self.maxShownByteCount)
                    problems.append(Problem(line: line, message: message, suggestion: error.suggestion))
                } else {
                    untold += 1
                }
            }
        }
        if untold > 0 {
            problems.append(Problem(line: line, message: "\(untold) lines more are no rules", suggestion: nil))
        }
    }

    /// A line without its comment and the blanks around it.
    private static func content(of line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var content = line
        var isBehindBlank = true
        for index in line.indices {
            let byte = line[index]
            if isBehindBlank, byte == UInt8(ascii: "#") || byte == UInt8(ascii: ";") {
                content = line[..<index]
                break
            }
            isBehindBlank = isBlank(byte)
        }
        while let last = content.last, isBlank(last) { content.removeLast() }
        return content.drop(while: isBlank)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }
}
