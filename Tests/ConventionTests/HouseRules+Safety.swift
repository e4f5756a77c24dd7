/// Rules that the compiler cannot check.
extension HouseRules {
    /// A promise to the compiler, which needs a written proof beside it: `// Proof: …`, or a comment that names the
    /// promise and goes on to say why it holds.
    struct Promise: Sendable {
        /// The words of the code.
        var name: String
        /// Whether a line of code makes it.
        var isMade: @Sendable (String) -> Bool
        /// How a comment names it.
        var reasons: [String]
        /// Whether the proof of one also holds for the next ones of the same kind right below.
        var isShared = false
    }

    private static func promise(_ name: String) -> Promise {
        Promise(name: name, isMade: { $0.contains(name) }, reasons: ["`\(name)`"])
    }

    static let promises = [
        promise("@unchecked Sendable"), promise("nonisolated(unsafe)"),
        Promise(name: "Unmanaged", isMade: { contains($0, "Unmanaged") }, reasons: ["`Unmanaged`"]),
        Promise(
            name: "unowned",
            isMade: { $0.contains(/\bunowned(\((safe|unsafe)\))?\s+(self|var|let)\b/) }, reasons: ["`unowned`"]),
        Promise(
            name: "@exclusivity(unchecked)", isMade: { $0.contains("@exclusivity(unchecked)") },
            reasons: ["`@exclusivity(unchecked)`", "Exclusivity is not checked at run time"], isShared: true),
    ]
    /// How far above the promise the proof may stand, unless it is part of the comment directly above.
    static let proofDistance = 6
    /// How far above a promise another one may stand whose proof holds for both.
    static let sharedProofDistance = 8

    static func proofs(in file: SourceFile) -> [String] {
        promises.flatMap { promise -> [String] in
            var lastProven = -1
            return file.lines.enumerated().compactMap { index, line -> String? in
                guard promise.isMade(line), promise.isMade(SourceFile.code(of: line)) else { return nil }
                let isCovered = promise.isShared && lastProven >= 0 && index - lastProven <= sharedProofDistance
                guard isCovered || isProven(promise, at: index, in: file) else {
                    return "\(file.path):\(index + 1): \(promise.name) without `// Proof:` beside it"
                }
                lastProven = index
                return nil
            }
        }
    }

    private static func isProven(_ promise: Promise, at index: Int, in file: SourceFile) -> Bool {
        var start = index
        while start > 0, isCommentOrAttribute(file.lines[start - 1]) { start -= 1 }
        return file.lines[min(start, max(0, index - proofDistance))...index].contains { line in
            isComment(line) && (line.contains("Proof: ") || promise.reasons.contains(where: line.contains))
        }
    }

    private static func isComment(_ line: String) -> Bool { line.drop { $0 == " " }.hasPrefix("//") }

    private static func isCommentOrAttribute(_ line: String) -> Bool {
        isComment(line) || line.drop { $0 == " " }.hasPrefix("@")
    }

    /// Beginnings of the paths of files that read bytes from peers, files or the environment. `unsafe` has no place in
    /// them. Whole folders where that is possible, so that a new parser is guarded from its first day.
    static let parsers = [
        "Sources/NetworkTypes/",
        "Sources/WeirConfiguration/",
        "Sources/WeirAccess/",
        "Sources/WeirAgent/Protocol/",
        "Sources/WeirDocker/Engine/",
        "Sources/WeirDocker/JSON/",
        "Sources/WeirDocker/Labels/",
        "Sources/WeirDocker/Plan/",
        "Sources/WeirExporter/",
        "Sources/WeirHealth/Checks/",
        "Sources/WeirHealth/Conversations/",
        "Sources/WeirHealth/Verdicts/",
        "Sources/WeirProxy/Admin/",
        "Sources/WeirProxy/Process/HealthProbe",
        "Sources/WeirProxy/Process/ServiceManager",
        "Sources/WeirStream/FirstBytes/Matchers/",
        "Sources/WeirStream/ProxyProtocol/",
        "Sources/WeirTLS/DTLS/AssociationTable",
        "Sources/WeirTLS/DTLS/DTLSClientHello",
    ]

    /// Files among them that only make the system call, or call the library, which reads.
    static let readers: Set = [
        "Sources/WeirAccess/Geo/GeoDatabase.swift",
        "Sources/WeirConfiguration/Readers/FileBytes.swift",
        "Sources/WeirExporter/Server/ScrapeConnection+Session.swift",
        "Sources/WeirExporter/Server/ScrapeConnection+Writing.swift",
        "Sources/WeirExporter/Credentials/PasswordHash.swift",
        "Sources/WeirExporter/Exporter.swift",
        "Sources/WeirExporter/Server/ExporterServer.swift",
        "Sources/WeirExporter/Pages/GzipStream.swift",
        "Sources/WeirExporter/Pages/RegistryPage.swift",
    ]

    /// Entries of these rules that name no file: they guard nothing, or excuse nothing.
    static func idleEntries(among files: [SourceFile]) -> [String] {
        let paths = files.map(\.path)
        let prefixes =
            parsers.map { ($0, "guards") } + readers.map { ($0, "excuses") } + [(waiting, "excuses")]
            + bans.flatMap { ban in ban.except.map { ($0, "excuses") } }
        return prefixes.filter { prefix, _ in !paths.contains { $0.hasPrefix(prefix) } }.map { prefix, verb in
            "\(prefix): \(verb) no file"
        }
    }

    /// Readers without unsafe code, which need no excuse.
    static func needlessReaders(among files: [SourceFile]) -> [String] {
        files.filter { readers.contains($0.path) && unsafeLines(of: $0).isEmpty }.map { "\($0.path): needs no excuse" }
    }

    static func unsafe(in file: SourceFile) -> [String] {
        guard parsers.contains(where: file.path.hasPrefix), !readers.contains(file.path) else { return [] }
        return unsafeLines(of: file).map { "\(file.path):\($0): unsafe code where bytes from outside are read" }
    }

    private static func unsafeLines(of file: SourceFile) -> [Int] {
        file.lines.enumerated().compactMap { index, line in
            guard line.contains("unsafe") else { return nil }
            let code = SourceFile.code(of: line)
            return contains(code, "unsafe") || contains(code, "@unsafe") ? index + 1 : nil
        }
    }

    /// Remarks about work to come belong to an issue, where they are seen.
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
        #filePath.components(separatedBy: "/Tests/ConventionTests/")[0]
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
