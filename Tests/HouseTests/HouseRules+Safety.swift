/// Rules about what the compiler cannot check.
extension HouseRules {
    /// Promises to the compiler that need a written proof beside them.
    static let promises = ["@unchecked Sendable", "nonisolated(unsafe)"]
    /// How far above the promise the proof may begin.
    static let proofDistance = 6

    static func proofs(in file: SourceFile) -> [String] {
        file.lines.enumerated().flatMap { index, line -> [String] in
            let code = SourceFile.code(of: line)
            return promises.filter { code.contains($0) }.compactMap { promise in
                let near = file.lines[max(0, index - proofDistance)...index]
                let isProven = near.contains { $0.contains("// Proof: ") || $0.contains("/// Proof: ") }
                return isProven ? nil : "\(file.path):\(index + 1): \(promise) without `// Proof:` beside it"
            }
        }
    }

    /// Files that read bytes from peers or from files. `unsafe` has no place in them.
    static let parsers = [
        "Sources/WeirConfiguration/",
        "Sources/WeirAccess/",
        "Sources/WeirMetrics/Text",
        "Sources/WeirExporter/HTTPRequest",
        "Sources/WeirExporter/HTTPHead",
        "Sources/WeirExporter/RequestHead",
        "Sources/WeirExporter/AcceptEncoding",
        "Sources/WeirExporter/Negotiation",
        "Sources/WeirStream/ProxyProtocol",
        "Sources/LinuxIO/IPAddress",
    ]

    static func unsafe(in file: SourceFile) -> [String] {
        guard parsers.contains(where: file.path.hasPrefix) else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            let code = SourceFile.code(of: line)
            guard contains(code, "unsafe") || contains(code, "@unsafe") else { return nil }
            return "\(file.path):\(index + 1): unsafe code where bytes from outside are read"
        }
    }

    /// Remarks about work to come belong to an issue, where somebody sees them.
    static func remarks(in file: SourceFile) -> [String] {
        file.lines.enumerated().compactMap { index, line in
            let comment = line.dropFirst(SourceFile.code(of: line).count)
            guard let word = ["TODO", "FIXME", "XXX"].first(where: { contains(String(comment), $0) }) else {
                return nil
            }
            let namesIssue = comment.contains("#") && comment.contains(where: \.isNumber)
            return namesIssue ? nil : "\(file.path):\(index + 1): \(word) without the number of an issue"
        }
    }

    /// Paths of one particular machine.
    static func paths(in file: SourceFile) -> [String] {
        guard file.isSource else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            let found = ["/work/", "/tmp/", "/home/", "/root/"].first {
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
