import Testing

/// The rules themselves, on snippets that break them: a rule that cannot fail is none.
@Suite("The house rules find what they forbid")
struct HouseRulesTests {
    private static func file(_ path: String, _ text: String) -> SourceFile { SourceFile(path: path, text: text) }

    @Test(
        "imports that no arrow allows",
        arguments: [
            ("Sources/WeirMetrics/A.swift", "import Glibc"),
            ("Sources/WeirMetrics/A.swift", "import LinuxIO"),
            ("Sources/WeirMetrics/A.swift", "import CoreMetrics"),
            ("Sources/WeirSwiftMetrics/A.swift", "import Glibc"),
            ("Sources/WeirProxy/A.swift", "import WeirSwiftMetrics"),
            ("Sources/WeirStream/A.swift", "import WeirMetrics"),
            ("Sources/WeirStream/A.swift", "import WeirHealth"),
            ("Sources/WeirHealth/A.swift", "import WeirStream"),
            ("Sources/WeirStream/A.swift", "public import WeirAccess"),
            ("Sources/WeirStream/A.swift", "import Foundation"),
            ("Sources/WeirStream/A.swift", "@preconcurrency import struct Foundation.URL"),
            ("Sources/LinuxIO/A.swift", "internal import Foundation"),
            ("Sources/WeirProxy/A.swift", "import CYAML"),
            ("Sources/WeirProxy/A.swift", "import Foundation"),
            ("Sources/weir/A.swift", "import FoundationEssentials"),
            ("Sources/WeirProxy/A.swift", "import CLinux"),
            ("Sources/weir/A.swift", "import WeirStream"),
            ("Sources/NewModule/A.swift", ""),
        ])
    func forbiddenImports(path: String, line: String) {
        #expect(HouseRules.imports(of: Self.file(path, line + "\n")).count == 1)
    }

    @Test(
        "imports that an arrow allows",
        arguments: [
            ("Sources/WeirMetrics/A.swift", "import Synchronization"),
            ("Sources/WeirStream/A.swift", "package import LinuxIO"),
            ("Sources/WeirSwiftMetrics/A.swift", "public import CoreMetrics\npublic import WeirMetrics"),
            ("Sources/WeirProxy/A.swift", "import WeirStream\nimport Glibc"),
            ("Sources/WeirConfiguration/A.swift", "import YAMLEvents"),
            ("Sources/weir/A.swift", "import CommandInterface"),
            ("Tests/AnyTests/A.swift", "import Foundation"),
            ("Sources/WeirMetrics/A.swift", "// import Foundation\nlet text = \"import Foundation\""),
        ])
    func allowedImports(path: String, text: String) {
        #expect(HouseRules.imports(of: Self.file(path, text)) == [])
    }

    @Test("files that are too long, and the reason that excuses some of them")
    func lengths() {
        func file(_ count: Int, head: String = "") -> SourceFile {
            Self.file("Sources/LinuxIO/A.swift", head + String(repeating: "\n", count: count))
        }
        #expect(HouseRules.length(of: file(400)) == [])
        #expect(HouseRules.length(of: file(401)).count == 1)
        #expect(HouseRules.length(of: file(401, head: "// Length: one table, read as a whole\n")) == [])
        #expect(HouseRules.length(of: file(601, head: "// Length: one table, read as a whole\n")).count == 1)
    }

    @Test(
        "banned constructs, in code only",
        arguments: [
            ("let a = try! b()", 1), ("let a = b as! C", 1), ("fatalError(\"no\")", 1), ("print(1)", 1),
            ("usleep(5)", 1), ("Thread.sleep(forTimeInterval: 1)", 1), ("Task.detached {}", 1),
            ("DispatchQueue.main.async {}", 1), ("let lock = NSLock()", 1), ("Glibc.sleep(1)", 1),
            ("// try! in a comment", 0), ("let a = \"print(1)\"", 0), ("let fingerprint = b.print(1)", 0),
            ("blueprint(1)", 0), ("let a = b as? C", 0), ("let path = \"a // b\"; try! c()", 1),
        ])
    func bans(line: String, count: Int) {
        #expect(HouseRules.banned(in: Self.file("Sources/WeirStream/A.swift", line)).count == count)
    }

    @Test("the command line may print, and only one file may let time pass")
    func exceptions() {
        #expect(HouseRules.banned(in: Self.file("Sources/weir/A.swift", "print(1)")) == [])
        #expect(HouseRules.banned(in: Self.file("Tests/XTests/A.swift", "poll(nil, 0, 5)")).count == 1)
        #expect(HouseRules.banned(in: Self.file(HouseRules.waiting, "poll(nil, 0, 5)")) == [])
        let scrape = "let page = try Samples(HTTP.get(\"/metrics\", port: port).text)"
        #expect(HouseRules.banned(in: Self.file("Tests/XTests/A.swift", scrape)).count == 1)
        #expect(HouseRules.banned(in: Self.file("Tests/TestSupport/A.swift", scrape)) == [])
    }

    @Test("promises to the compiler need a proof within six lines")
    func proofs() {
        let promise = "final class A: @unchecked Sendable {}"
        let path = "Sources/LinuxIO/A.swift"
        #expect(HouseRules.proofs(in: Self.file(path, promise)).count == 1)
        #expect(HouseRules.proofs(in: Self.file(path, "// Proof: it has no state\n" + promise)) == [])
        let named = "/// `@unchecked Sendable`, because it has no state.\n@safe\n" + promise
        #expect(HouseRules.proofs(in: Self.file(path, named)) == [])
        let long = "// Proof: it has no state\n" + String(repeating: "/// More.\n", count: 9) + promise
        #expect(HouseRules.proofs(in: Self.file(path, long)) == [])
        let far = "// Proof: it has no state\n" + String(repeating: "\n", count: 6) + promise
        #expect(HouseRules.proofs(in: Self.file(path, far)).count == 1)
        #expect(HouseRules.proofs(in: Self.file(path, "nonisolated(unsafe) var a = 1")).count == 1)
    }

    @Test(
        "every promise needs its proof, and words that only look like one do not",
        arguments: [
            ("@safe @exclusivity(unchecked) var a = 0", 1), ("let a = unsafe Unmanaged.passRetained(b)", 1),
            ("run.onEnd = { [unowned self] in end() }", 1), ("unowned(safe) var a: B?", 1), ("unowned let a: B", 1),
            ("// Proof: one thread.\n@safe @exclusivity(unchecked) var a = 0", 0),
            ("// `Unmanaged`, because the thread takes it back.\nlet a = unsafe Unmanaged.passRetained(b)", 0),
            ("// `unowned`: the owner outlives it.\nunowned let a: B", 0),
            ("static let unowned = EventToken()", 0), ("var unownedExecutor: UnownedSerialExecutor { a }", 0),
            ("// an Unmanaged in a comment", 0),
        ])
    func otherPromises(text: String, count: Int) {
        #expect(HouseRules.proofs(in: Self.file("Sources/LinuxIO/A.swift", text)).count == count)
    }

    @Test("one proof holds for a run of properties, not for one far below")
    func sharedProof() {
        let proof = "// Exclusivity is not checked at run time: one thread.\n"
        let property = "@exclusivity(unchecked) var a = 0\n"
        let path = "Sources/LinuxIO/A.swift"
        let run = proof + property + "\n\n" + property + String(repeating: "var b = 0\n", count: 7) + property
        #expect(HouseRules.proofs(in: Self.file(path, run)) == [])
        let far = proof + property + String(repeating: "var b = 0\n", count: 8) + property
        #expect(HouseRules.proofs(in: Self.file(path, far)).count == 1)
        // Promises without a shared proof need one each.
        let sendable = "// Proof: no state\nclass A: @unchecked Sendable {}\n"
        #expect(
            HouseRules.proofs(
                in: Self.file(path, sendable + String(repeating: "\n", count: 7) + sendable.dropFirst(19))
            ).count == 1)
    }

    @Test("entries that name no file, and excuses of files without unsafe code")
    func idleEntries() {
        let all = (HouseRules.parsers + HouseRules.bans.flatMap(\.except) + [HouseRules.waiting]).map { prefix in
            Self.file(prefix.hasSuffix("/") ? prefix + "A.swift" : prefix, "let a = 1\n")
        }
        let readers = HouseRules.readers.map { Self.file($0, "unsafe a()\n") }
        #expect(HouseRules.idleEntries(among: all + readers) == [])
        #expect(HouseRules.idleEntries(among: Array(all.dropFirst()) + readers).count == 1)
        #expect(HouseRules.idleEntries(among: all + readers.dropFirst()).count == 1)
        #expect(HouseRules.needlessReaders(among: all + readers) == [])
        #expect(
            HouseRules.needlessReaders(among: HouseRules.readers.map { Self.file($0, "a()\n") }).count == readers.count)
    }

    @Test("unsafe code in parsers, and nowhere else by this rule")
    func unsafety() {
        #expect(HouseRules.unsafe(in: Self.file("Sources/WeirConfiguration/A.swift", "unsafe a()")).count == 1)
        #expect(HouseRules.unsafe(in: Self.file("Sources/LinuxIO/Socket.swift", "unsafe a()")) == [])
        #expect(HouseRules.unsafe(in: Self.file("Sources/WeirConfiguration/A.swift", "// unsafe")) == [])
    }

    @Test("remarks without an issue, and paths of one machine")
    func remarksAndPaths() {
        let path = "Sources/LinuxIO/A.swift"
        #expect(HouseRules.remarks(in: Self.file(path, "// TODO: later")).count == 1)
        #expect(HouseRules.remarks(in: Self.file(path, "// TODO: later (#12)")) == [])
        #expect(HouseRules.paths(in: Self.file(path, "let a = \"/tmp/b\"")).count == 1)
        #expect(HouseRules.paths(in: Self.file(path, "let a = \"/etc/weir/weir.yml\"")) == [])
    }
}
