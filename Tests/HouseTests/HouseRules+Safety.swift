/// Rules about what the compiler cannot check.
extension HouseRules {
    /// Promises to the compiler that need a written proof beside them: `// Proof: …`, or a comment that names the
    /// promise in backticks and goes on to say why it holds.
    static let promises = ["@unchecked Sendable", "nonisolated(unsafe)"]
    /// How far above the promise the proof may stand, unless it is part of the comment directly above.
    static let proofDistance = 6

    static func proofs(in file: SourceFile) -> [String] {
        file.lines.enumerated().flatMap { index, line -> [String] in
            guard promises.contains(where: line.contains) else { return [] }
            let code = SourceFile.code(of: line)
            return promises.filter { code.contains($0) }.compactMap { promise in
                var start = index
                while start > 0, isCommentOrAttribute(file.lines[start - 1]) { start -= 1 }
                let near = file.lines[min(start, max(0, index - proofDistance))...index]
                let isProven = near.contains {
                    isComment($0) && ($0.contains("Proof: ") || $0.contains("`\(promise)`"))
                }
                return isProven ? nil : "\(file.path):\(index + 1): \(promise) without `// Proof:` beside it"
            }
        }
    }

    private static func isComment(_ line: String) -> Bool { line.drop { $0 == " " }.hasPrefix("//") }

    private static func isCommentOrAttribute(_ line: String) -> Bool {
        isComment(line) || line.drop { $0 == " " }.hasPrefix("@")
    }

    /// Files that read bytes from peers or from files. `unsafe` has no place in them.
    static let parsers = [
        "Sources/WeirConfiguration/",
        "Sources/WeirAccess/",
        "Sources/WeirExporter/HTTPRequest",
        "Sources/WeirExporter/HTTPHead",
        "Sources/WeirExporter/RequestHead",
        "Sources/WeirExporter/Credentials/AuthorizationField",
        "Sources/WeirExporter/AcceptEncoding",
        "Sources/WeirExporter/Negotiation",
        "Sources/WeirStream/ProxyProtocol",
        "Sources/NetworkTypes/",
    ]

    /// Files among them that only make the system call, or call the library, which reads.
    static let readers: Set = ["Sources/WeirConfiguration/FileBytes.swift", "Sources/WeirAccess/GeoDatabase.swift"]

    static func unsafe(in file: SourceFile) -> [String] {
        guard parsers.contains(where: file.path.hasPrefix), !readers.contains(file.path) else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            guard line.contains("unsafe") else { return nil }
            let code = SourceFile.code(of: line)
            guard contains(code, "unsafe") || contains(code, "@unsafe") else { return nil }
            return "\(file.path):\(index + 1): unsafe code where bytes from outside are read"
        }
    }

    /// Remarks about work to come belong to an issue, where somebody sees them.
    static func remarks(in file: SourceFile) -> [String] {
        file.lines.enumerated().compactMap { index, line in
            let words = ["TODO", "FIXME", "XXX"].filter(line.contains)
            guard !words.isEmpty else { return nil }
            let comment = line.dropFirst(SourceFile.code(of: line).count)
            guard let word = words.first(where: { contains(String(comment), $0) }) else { return nil }
            let namesIssue = comment.contains("#") && comment.contains(where: \.isNumber)
            return namesIssue ? nil : "\(file.path):\(index + 1): \(word) without the number of an issue"
        }
    }

    /// The folder that holds this checkout, wherever that is: its path belongs to this machine.
    private static let checkoutFolder =
        #filePath.components(separatedBy: "/Tests/HouseTests/")[0]
        .split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/"

    /// Paths of one particular machine.
    static func paths(in file: SourceFile) -> [String] {
        guard file.isSource else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            // A checkout right under the root has no folder to tell.
            let found = (["/tmp/", "/home/", "/root/"] + [checkoutFolder].filter { $0 != "/" }).first {
                line.contains("\"" + $0) || line.contains(" " + $0)
            }
            return found.map { "\(file.path):\(index + 1): the path \($0) of one machine" }
        }
    }

    static func all(_ file: SourceFile) -> [String] {
        imports(of: file) + length(of: file) + banned(in: file) + proofs(in: file) + unsafe(in: file)
            + remarks(in: file) + paths(in: file)
    }
}
