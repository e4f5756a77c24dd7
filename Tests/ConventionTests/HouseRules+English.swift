/// Rules about plain English and about the size of folders. No file is excused, except those that write the rules down.
extension HouseRules {
    static let maxColumns = 120
    static let maxFilesInFolder = 18

    /// Words with which no doc comment begins: the thing itself, or a verb, comes first.
    private static let openers = [
        "What", "Who", "Whose", "Whom", "Of", "One that", "Ones that", "For so long", "Where",
    ]

    /// Words that speak of unnamed persons. The field has words: client, peer, caller, process, operator.
    private static let persons: Set = ["nobody", "somebody", "anybody", "whoever", "whomever", "whom"]

    /// Pairs of words that speak in pictures.
    private static let pictures: Set = ["came to", "is about", "are about", "leads to", "lead to", "of use"]

    /// Parts of British spellings of words that stand in this house in US spelling.
    private static let spellings = [
        "dialled", "dialling", "cancelled", "cancelling", "signalled", "signalling", "labelled", "labelling", "travell",
        "modell", "behaviour", "neighbour", "colour", "favour", "honour", "optimis", "serialis", "initialis",
        "recognis", "normalis", "synchronis", "minimis", "licence",
    ]

    private static func offenses(of line: String) -> [String] {
        let words = line.lowercased().utf8.split { !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
            .map { String(decoding: $0, as: UTF8.self) }
        let pairs = zip(words, words.dropFirst()).map { "\($0) \($1)" }
        return words.filter { word in persons.contains(word) || spellings.contains(where: word.contains) }
            + pairs.filter(pictures.contains)
    }

    /// The offenses in one file, code or other text.
    static func english(in file: SourceFile) -> [String] {
        let isCode = [".swift", ".h", ".c"].contains(where: file.path.hasSuffix)
        var isInComment = false
        return file.lines.enumerated().flatMap { index, line -> [String] in
            var found: [String] = []
            let isComment = line.drop(while: { $0 == " " }).hasPrefix("///")
            if isCode {
                if isComment, !isInComment, let opener = opener(of: line) {
                    found.append("a doc comment begins with `\(opener)`")
                }
                // swift-format looks after code; it leaves comments as they are.
                if line.count > maxColumns, line.drop(while: { $0 == " " }).hasPrefix("//") {
                    found.append("\(line.count) columns")
                }
            }
            isInComment = isComment
            found += offenses(of: line).map { "`\($0)`" }
            return found.map { "\(file.path):\(index + 1): \($0)" }
        }
    }

    private static func opener(of line: String) -> String? {
        let words = line.drop(while: { $0 == " " || $0 == "/" })
        return openers.first { opener in
            words.hasPrefix(opener) && !(words.dropFirst(opener.count).first?.isLetter ?? false)
        }
    }

    /// Folders with more files than a reader takes in at a glance.
    static func crowdedFolders(among paths: [String]) -> [String] {
        let folders = Dictionary(grouping: paths) { $0.split(separator: "/").dropLast().joined(separator: "/") }
        return folders.filter { $0.value.count > maxFilesInFolder }.map { "\($0.key): \($0.value.count) files" }
            .sorted()
    }
}
