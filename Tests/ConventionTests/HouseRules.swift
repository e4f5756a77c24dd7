/// The rules of this repository. Each function returns the offences against a rule, as `path:line: offence`.
enum HouseRules {
    /// The imports that each module may have, of our own modules and of dependencies (see ARCHITECTURE.md).
    static let arrows: [String: Set<String>] = [
        "NetworkTypes": [],
        "Threading": [],
        "LinuxIO": ["NetworkTypes", "Threading", "CLinux"],
        "WeirMetrics": ["Threading"],
        "WeirSwiftMetrics": ["Threading", "WeirMetrics", "CoreMetrics"],
        "WeirStream": ["NetworkTypes", "Threading", "LinuxIO"],
        "WeirBalance": ["NetworkTypes", "Threading", "LinuxIO", "WeirStream"],
        "WeirHealth": ["NetworkTypes", "Threading", "LinuxIO"],
        "WeirAccess": ["NetworkTypes", "Threading", "LinuxIO", "WeirStream", "CMaxMindDB"],
        "WeirTLS": ["NetworkTypes", "Threading", "LinuxIO", "CTLS"],
        "WeirAgent": ["NetworkTypes", "Threading", "LinuxIO", "WeirStream", "WeirTLS", "CTLS"],
        "WeirExporter": ["NetworkTypes", "Threading", "LinuxIO", "WeirMetrics", "CZlib", "CCrypt"],
        "YAMLEvents": ["CYAML"],
        "WeirConfiguration": ["NetworkTypes", "WeirHealth", "YAMLEvents"],
        "WeirDocker": ["NetworkTypes", "Threading", "LinuxIO", "WeirConfiguration", "CCurl"],
        "WeirProxy": [
            "NetworkTypes", "WeirConfiguration", "WeirDocker", "WeirStream", "WeirBalance", "WeirHealth", "WeirAccess",
            "WeirExporter", "WeirMetrics", "LinuxIO", "Threading", "WeirTLS", "WeirAgent", "Logging",
        ],
        "CommandInterface": [],
        "weir": ["WeirProxy", "WeirConfiguration", "CommandInterface", "Threading"],
    ]

    /// Modules of the toolchain that a module may import. Foundation is 50 MB in a static program, so none may.
    static func system(of module: String) -> Set<String> {
        switch module {
        case "NetworkTypes", "YAMLEvents", "CommandInterface": []
        case "Threading", "WeirMetrics", "WeirSwiftMetrics": ["Synchronization"]
        case "weir": ["Synchronization", "Glibc", "Dispatch"]
        default: ["Synchronization", "Glibc"]
        }
    }

    static func imports(of file: SourceFile) -> [String] {
        guard file.isSource, let allowed = arrows[file.module]?.union(system(of: file.module)) else {
            return file.isSource ? ["\(file.path):1: no arrows are declared for the module \(file.module)"] : []
        }
        return file.imports.filter { !allowed.contains($0.module) }.map { found in
            "\(file.path):\(found.line): \(file.module) must not import \(found.module)"
        }
    }

    static let usualLength = 400
    static let maxLength = 600

    static func length(of file: SourceFile) -> [String] {
        let count = file.lines.count
        if count > maxLength {
            return ["\(file.path):\(count): longer than \(maxLength) lines: split it"]
        }
        let hasReason = file.lines.prefix(10).contains { $0.hasPrefix("// Length: ") && $0.count > 20 }
        if count > usualLength, !hasReason {
            return ["\(file.path):\(count): longer than \(usualLength) lines without a `// Length: reason` in its head"]
        }
        return []
    }

    /// One construct that must not be used, and why.
    struct Ban: Sendable {
        var construct: String
        var reason: String
        /// Path prefixes where it is banned.
        var scopes: [String]
        /// Path prefixes of exceptions.
        var except: [String] = []
    }

    static let waiting = "Tests/TestSupport/Threads/WaitUntil.swift"
    /// It asks for pages under load, and what must hold for each.
    static let identities = "Tests/IntegrationTests/Traffic/IdentityTests.swift"
    static let bans: [Ban] = [
        Ban(construct: "try!", reason: "an error is handled or thrown on", scopes: ["Sources/", "Tests/"]),
        Ban(
            construct: "as!", reason: "a wrong type is a failure to report, not a crash",
            scopes: ["Sources/", "Tests/"]),
        Ban(
            construct: "fatalError(", reason: "preconditions say what was violated; input never ends the process",
            scopes: ["Sources/"]),
        Ban(
            construct: "print(",
            reason: "output goes through the log, which never blocks; only the command line prints",
            scopes: ["Sources/"], except: ["Sources/weir/"]),
        Ban(construct: "sleep(", reason: "wait for a condition with a deadline", scopes: ["Sources/", "Tests/"]),
        Ban(construct: "Glibc.sleep(", reason: "wait for a condition with a deadline", scopes: ["Sources/", "Tests/"]),
        Ban(construct: "usleep(", reason: "wait for a condition with a deadline", scopes: ["Sources/", "Tests/"]),
        Ban(construct: "nanosleep(", reason: "wait for a condition with a deadline", scopes: ["Sources/", "Tests/"]),
        Ban(
            construct: "Thread.sleep", reason: "wait for a condition with a deadline", scopes: ["Sources/", "Tests/"]),
        Ban(
            construct: "Task.sleep", reason: "tests wait for a condition with a deadline", scopes: ["Tests/"],
            except: [waiting]),
        Ban(
            construct: "poll(nil", reason: "the one place that lets time pass is waitUntil", scopes: ["Tests/"],
            except: [waiting]),
        Ban(
            construct: "Task.detached", reason: "work belongs to a worker, to an actor or to a task group",
            scopes: ["Sources/"]),
        Ban(
            construct: "DispatchQueue", reason: "threads here are workers with an event loop of their own",
            scopes: ["Sources/"]),
        Ban(construct: "NSLock", reason: "an atomic or a Lock", scopes: ["Sources/"]),
        Ban(
            construct: "Samples(HTTP.", reason: "Samples.scrape(port:of:) waits for the turns that peers have seen",
            scopes: ["Tests/"], except: ["Tests/TestSupport/", identities]),
        Ban(
            construct: "XCTest", reason: "tests are Swift Testing, so that one runner counts them all",
            scopes: ["Tests/"]),
    ]

    static func banned(in file: SourceFile) -> [String] {
        let applicable = bans.filter { ban in
            ban.scopes.contains(where: file.path.hasPrefix) && !ban.except.contains(where: file.path.hasPrefix)
        }
        return file.lines.enumerated().flatMap { index, line -> [String] in
            let suspects = applicable.filter { line.contains($0.construct) }
            guard !suspects.isEmpty else { return [] }
            let code = SourceFile.code(of: line)
            return suspects.filter { contains(code, $0.construct) }.map { ban in
                "\(file.path):\(index + 1): \(ban.construct) is banned: \(ban.reason)"
            }
        }
    }

    /// Whether the construct occurs with nothing before or behind that would make it part of a longer word.
    static func contains(_ code: String, _ construct: String) -> Bool {
        var rest = code[...]
        var before: Character = " "
        while let character = rest.first {
            if rest.hasPrefix(construct) {
                let after = rest.dropFirst(construct.count).first ?? " "
                let endsOpen = construct.last.map(isWordPart) ?? false
                if !isWordPart(before), before != ".", !(endsOpen && isWordPart(after)) { return true }
            }
            before = character
            rest.removeFirst()
        }
        return false
    }

    private static func isWordPart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }
}
