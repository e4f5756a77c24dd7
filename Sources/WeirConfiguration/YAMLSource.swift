/// The text of a file in which duplicate keys can be renamed without moving anything, so that one pass finds all of
/// them.
struct YAMLSource {
    /// Each renaming means another pass.
    static let mostRenamings = 64

    private(set) var text: String
    /// What stood where a key was renamed.
    private var originals: [SourceLocation: Unicode.Scalar] = [:]

    init(_ text: String) {
        self.text = text
    }

    /// Puts a private character in the place of the key's first one. False where that cannot work, because the key does
    /// not begin with a character of its own: it has a tag, an anchor or an escape there, or is an alias.
    mutating func rename(keyAt place: SourceLocation) -> Bool {
        var scalars = Array(text.unicodeScalars)
        guard originals[place] == nil, var index = YAMLSource.index(of: place, in: scalars) else { return false }
        var first = scalars[index]
        if first == "\"" || first == "'" {
            index += 1
            guard index < scalars.count else { return false }
            first = scalars[index]
            if first == "\"" || first == "'" || first == "\\" { return false }
        }
        let isPlain =
            first.isASCII && (isAlphanumeric(UInt8(first.value)) || first == "_" || first == "$" || first == "<")
        guard isPlain, let stand = Unicode.Scalar(0xe000 + UInt32(originals.count)) else { return false }
        scalars[index] = stand
        originals[place] = first
        var renamed = String.UnicodeScalarView()
        renamed.append(contentsOf: scalars)
        text = String(renamed)
        return true
    }

    /// The key as the user wrote it.
    func original(_ key: String, at place: SourceLocation) -> String {
        guard let first = originals[place] else { return key }
        var scalars = String.UnicodeScalarView([first])
        scalars.append(contentsOf: key.unicodeScalars.dropFirst())
        return String(scalars)
    }

    private static func index(of place: SourceLocation, in scalars: [Unicode.Scalar]) -> Int? {
        var line = 1
        var index = 0
        while index < scalars.count && line < place.line {
            switch scalars[index] {
            case "\r" where index + 1 < scalars.count && scalars[index + 1] == "\n": break
            case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": line += 1
            default: break
            }
            index += 1
        }
        index += place.column - 1
        return line == place.line && scalars.indices.contains(index) ? index : nil
    }
}
