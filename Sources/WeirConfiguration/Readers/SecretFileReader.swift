import NetworkTypes

/// Reads files with tokens and with users. An error within one is reported with its own name and line, and never with
/// its text.
struct SecretFileReader {
    private static let maxFileByteCount = 64 << 10
    private static let maxEntries = 256
    private static let minTokenLength = 16
    private static let maxTokenLength = 512

    let diagnostics: Diagnostics
    let referencedFiles: ReferencedFiles

    /// `bearer_token_file`: one token a line.
    func readTokens(_ value: ConfigurationNode) -> [Secret] {
        guard let file = read(value, "bearer_token_file") else { return [] }
        var tokens: [Secret] = []
        for (location, line) in file.lines {
            guard line.utf8.allSatisfy(Self.isTokenByte), line.utf8.count <= Self.maxTokenLength else {
                diagnostics.error(
                    .file(file.path, location),
                    "expected a token of at most \(Self.maxTokenLength) letters, digits and `-._~+/=`, as RFC 6750 "
                        + "has them",
                    suggestion: nil)
                continue
            }
            // One that is shorter may also be a half: the file is being written, or its writer has died.
            guard line.utf8.count >= Self.minTokenLength else {
                diagnostics.error(
                    .file(file.path, location),
                    "expected a token of at least \(Self.minTokenLength) bytes, found one that is short enough to be "
                        + "guessed: make one with `openssl rand -hex 32`")
                continue
            }
            if !tokens.contains(Secret(line)) { tokens.append(Secret(line)) }
        }
        return tokens
    }

    /// `users_file`: `name:hash` a line, as htpasswd(1) writes it.
    func readUsers(_ value: ConfigurationNode) -> [PasswordUser] {
        guard let file = read(value, "users_file") else { return [] }
        var users: [PasswordUser] = []
        for (location, line) in file.lines {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                diagnostics.error(
                    .file(file.path, location), "expected a name, a colon and a hash", suggestion: nil)
                continue
            }
            let name = String(parts[0])
            do throws(ValueError) {
                let (user, remark) = try UserReader.user(name, String(parts[1]))
                if let remark {
                    diagnostics.warning(
                        value.origin, "`users_file`: \(quoted(name)) in line \(location.line): \(remark)")
                }
                if users.contains(where: { $0.name == name }) {
                    throw ValueError("the user \(quoted(name)) stands here twice")
                }
                users.append(user)
            } catch {
                diagnostics.error(
                    .file(file.path, location), error.message, suggestion: nil)
            }
        }
        return users
    }

    private struct File {
        var path: String
        var lines: [(SourceLocation, String)]
    }

    /// The lines that are neither empty nor begin with `#`; nil after an error.
    private func read(_ value: ConfigurationNode, _ key: String) -> File? {
        guard let name = diagnostics.text(value, key, expected: "the path of a file") else { return nil }
        guard !name.isEmpty, !name.utf8.contains(0), referencedFiles.opensFiles else {
            diagnostics.error(value.origin, "`\(key)`: expected the path of a file, found \(value.secretFileName)")
            return nil
        }
        let path = referencedFiles.resolve(name, from: value.origin)
        let shown = value.secretFileName
        _ = referencedFiles.depend(on: path)
        let bytes: [UInt8]
        do throws(ValueError) {
            bytes = try readFile(path: path, limit: Self.maxFileByteCount, kind: .regular)
        } catch {
            diagnostics.error(value.origin, "`\(key)`: \(shown): \(error.message)")
            return nil
        }
        guard bytes.count <= Self.maxFileByteCount, let text = String(validating: bytes, as: UTF8.self) else {
            diagnostics.error(
                value.origin, "`\(key)`: expected at most 64 KiB of UTF-8 in \(shown), found something else")
            return nil
        }
        if isReadableByEverybody(path: path) {
            diagnostics.warning(
                value.origin,
                "`\(key)`: everybody on this machine may read \(shown): take that away with `chmod o-r`")
        }
        let lines = Self.lines(of: text)
        guard (1...Self.maxEntries).contains(lines.count) else {
            diagnostics.error(
                value.origin,
                "`\(key)`: expected 1 to \(Self.maxEntries) lines in \(shown), found \(lines.count)")
            return nil
        }
        return File(path: path, lines: lines)
    }

    private static func lines(of text: String) -> [(SourceLocation, String)] {
        var lines: [(SourceLocation, String)] = []
        let all = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in all.enumerated() {
            var rest = Substring(line)
            while let last = rest.unicodeScalars.last, last == "\r" || last == " " || last == "\t" {
                rest.unicodeScalars.removeLast()
            }
            if rest.isEmpty || rest.hasPrefix("#") { continue }
            lines.append((SourceLocation(line: index + 1, column: 1), String(rest)))
        }
        return lines
    }

    /// The characters of `b64token` (RFC 6750 section 2.1).
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || "-._~+/=".utf8.contains(byte)
    }
}
