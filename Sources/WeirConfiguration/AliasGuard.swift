/// Refuses keys that are no names in files with aliases, before Yams sees them.
///
/// Yams compares the keys of every mapping while it reads. A key made of aliases to aliases ("billion laughs") would
/// keep it busy for ever, and no key of ours is a list or a mapping anyway. This only looks at the text, outside
/// quotes and comments; a file without aliases is left to the reader of the tree, which gives better messages.
enum AliasGuard {
    /// The first place where something else than a name is used as a key, in a text that also has aliases.
    static func placeOfComplexKey(in text: String) -> SourceLocation? {
        var scanner = Scanner(bytes: Array(text.utf8))
        scanner.run()
        guard scanner.hasAlias, let index = scanner.complexKey else { return nil }
        return place(of: index, in: scanner.bytes)
    }

    private static func place(of index: Int, in bytes: [UInt8]) -> SourceLocation {
        let before = bytes[..<index]
        let line = 1 + before.count { $0 == UInt8(ascii: "\n") }
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        // Continuation bytes of UTF-8 do not count: columns are characters.
        let column = 1 + before[start...].count { $0 & 0xc0 != 0x80 }
        return SourceLocation(line: line, column: column)
    }

    private struct Scanner {
        let bytes: [UInt8]
        var hasAlias = false
        var complexKey: Int?
        private var index = 0
        private var flowDepth = 0

        init(bytes: [UInt8]) {
            self.bytes = bytes
        }

        mutating func run() {
            while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: "#") where isBlank(index - 1): skip { $0 != UInt8(ascii: "\n") }
                case UInt8(ascii: "\""), UInt8(ascii: "'"):
                    if startsToken { skipQuoted(bytes[index]) }
                case UInt8(ascii: "*") where startsToken: readAlias()
                case UInt8(ascii: "?") where startsToken && isBlank(index + 1): note(index)
                case UInt8(ascii: "["), UInt8(ascii: "{"): flowDepth += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    flowDepth = max(0, flowDepth - 1)
                    noteIfKeyEnds(at: index, place: index)
                default: break
                }
                index += 1
            }
        }

        private func isBlank(_ position: Int) -> Bool {
            guard bytes.indices.contains(position) else { return true }
            return [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position])
        }

        private var startsToken: Bool {
            if isBlank(index - 1) { return true }
            return "[{,:?-!".utf8.contains(bytes[index - 1])
        }

        private mutating func skip(while condition: (UInt8) -> Bool) {
            while index + 1 < bytes.count && condition(bytes[index + 1]) { index += 1 }
        }

        private mutating func skipQuoted(_ quote: UInt8) {
            index += 1
            while index < bytes.count {
                if quote == UInt8(ascii: "\"") && bytes[index] == UInt8(ascii: "\\") {
                    index += 1
                } else if bytes[index] == quote {
                    // Two single quotes stand for one and do not end the scalar.
                    guard quote == UInt8(ascii: "'"), index + 1 < bytes.count, bytes[index + 1] == quote else { return }
                    index += 1
                }
                index += 1
            }
        }

        private mutating func readAlias() {
            let start = index
            skip { isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
            guard index > start else { return }
            hasAlias = true
            noteIfKeyEnds(at: index, place: start)
        }

        /// A `:` behind spaces makes a key of what ends here.
        private mutating func noteIfKeyEnds(at end: Int, place: Int) {
            var next = end + 1
            while next < bytes.count && (bytes[next] == 0x20 || bytes[next] == 0x09) { next += 1 }
            guard next < bytes.count, bytes[next] == UInt8(ascii: ":") else { return }
            if flowDepth > 0 || isBlank(next + 1) { note(place) }
        }

        private mutating func note(_ position: Int) {
            if complexKey == nil { complexKey = position }
        }
    }
}
