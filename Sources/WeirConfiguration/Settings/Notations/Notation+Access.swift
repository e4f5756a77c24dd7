import NetworkTypes

// Access rules, files that hold them or what they need, and secrets.

extension Notation where Value == [AccessEntry] {
    private static var expectedRules: String { "a list of rules such as `[\"cidr:198.51.100.0/24\"]`" }

    /// A list of access rules. What is wrong in it stays an entry, so that it does not look shorter than it was meant.
    static var rules: Notation {
        Notation(
            JSONValue.list(of: .anyOf([.anyText, ListReference.section.schema])).orNull,
            examples: ["[\"ip:192.0.2.1\"]", "[\"ip:192.0.2.2\"]"],
            text: { $0.isEmpty ? nil : "[\($0.map { flowText($0.text) }.joined(separator: ", "))]" }
        ) { node, key, context in
            switch node.content {
            case .sequence(let items):
                return items.map { item in
                    AccessRuleReader(context: context).read(item, key) ?? AccessEntry("")
                }
            case .null: return []
            case .refused: return [AccessEntry("")]
            case .scalar, .mapping:
                context.diagnostics.error(node.origin, "`\(key)`: expected \(expectedRules), found \(node.found)")
                return [AccessEntry("")]
            }
        }
    }
}

extension Notation where Value == String {
    /// The path of a list file, as it is written.
    static var listFile: Notation {
        Notation(.anyText, examples: ["blocklist.txt", "others.txt"], text: { $0 }) { node, key, context in
            context.path(node, key, expected: "a file such as `blocklist.txt`")
        }
    }
}

extension Notation where Value == String? {
    /// A file to append to; nil is standard output.
    static var logFile: Notation {
        Notation(.anyText, examples: ["stdout", "access.log"], text: { $0 ?? "stdout" }) { node, key, context in
            guard let text = context.path(node, key, expected: "a file to append to, or `stdout`") else { return nil }
            return .some(text == "stdout" ? nil : context.referencedFiles.resolve(text, from: node.origin))
        }
    }
}

extension Notation where Value == Configuration.GeoIP {
    /// The path of a MaxMind database.
    static var database: Notation {
        Notation(.anyText, examples: ["places.mmdb", "others.mmdb"], text: \.database) { node, key, context in
            guard let name = context.path(node, key, expected: "a MaxMind database") else { return nil }
            let referencedFiles = context.referencedFiles
            let path = referencedFiles.resolve(name, from: node.origin)
            let stamp = referencedFiles.opensFiles ? referencedFiles.depend(on: path) : FileStamp()
            return Configuration.GeoIP(database: path, stamp: stamp)
        }
    }
}

extension ReadingContext {
    fileprivate func path(_ node: ConfigurationNode, _ key: String, expected: String) -> String? {
        diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
            guard !text.isEmpty, !text.utf8.contains(0) else {
                throw ValueError("expected \(expected), found \(text.isEmpty ? "empty text" : "text with a NUL in it")")
            }
            return text
        }
    }
}

// MARK: Secrets

extension Notation where Value == [Secret] {
    /// A file of tokens, one a line.
    static var tokenFile: Notation {
        Notation(
            .anyText, examples: ["tokens"], text: { $0.isEmpty ? nil : "\($0.count) secrets" }
        ) { node, _, context in
            SecretFileReader(diagnostics: context.diagnostics, referencedFiles: context.referencedFiles)
                .readTokens(node)
        }
    }
}

extension Notation where Value == [PasswordUser] {
    /// A mapping from names to hashes.
    static var users: Notation {
        Notation(
            .members([
                ("type", .string("object")), ("minProperties", .integer(1)), ("additionalProperties", .anyText),
            ]), examples: [], text: { usersText($0) }
        ) { node, _, context in UserReader(diagnostics: context.diagnostics).read(node) }
    }

    /// A file of names and hashes.
    static var usersFile: Notation {
        Notation(.anyText, examples: ["users"], text: { usersText($0) }) { node, _, context in
            SecretFileReader(diagnostics: context.diagnostics, referencedFiles: context.referencedFiles).readUsers(node)
        }
    }

    private static func usersText(_ users: Value) -> String? {
        users.isEmpty ? nil : "{\(users.map { "\(flowText($0.name)): (secret)" }.joined(separator: ", "))}"
    }
}
