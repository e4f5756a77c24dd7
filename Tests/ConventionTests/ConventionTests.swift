import Foundation
import Testing

@Suite("The house rules")
struct ConventionTests {
    @Test("every source and test file keeps them")
    func wholeHouse() throws {
        let files = try Checkout.swiftFiles(under: "Sources") + Checkout.swiftFiles(under: "Tests")
        let judged = files.filter { !$0.path.hasPrefix("Tests/ConventionTests/") }
        #expect(judged.count > 20)
        // One finding, one line of output.
        for finding in judged.flatMap(HouseRules.all) { Issue.record("\(finding)") }
    }

    @Test("every entry of a rule names a file that is there, and every excuse is needed")
    func noIdleEntries() throws {
        let files = try Checkout.swiftFiles(under: "Sources") + Checkout.swiftFiles(under: "Tests")
        #expect(HouseRules.idleEntries(among: files) == [])
        #expect(HouseRules.needlessReaders(among: files) == [])
    }

    @Test("every parser of bytes from outside is guarded")
    func parsersAreGuarded() throws {
        // One file of each kind: HTTP heads, encodings and formats, list members, requests for pages, credentials,
        // PROXY headers, TLS hellos, configuration values, addresses, access rules and lists, answers to health checks,
        // requests of tunnels and of operators, DTLS hellos.
        let kinds = [
            "HeadScanner", "RequestHead", "AcceptedEncodings", "AcceptedFormats", "ListMember", "PageRequest",
            "RequestPlan", "AuthorizationField", "ProxyHeaderParser", "ClientHelloParser", "HandshakeCursor",
            "PostgresMatcher", "DurationText", "RateText", "PasswordHashText", "IPAddress+Parsing",
            "IPPrefix+Parsing", "AccessRule+Parsing", "AccessListFile", "DNSMessage", "PostgresConversation",
            "TunnelRequestParser", "AdminRequest", "StreamQuery", "DTLSClientHello",
        ]
        let files = try Checkout.swiftFiles(under: "Sources")
        for kind in kinds {
            let file = try #require(files.first { $0.path.hasSuffix("/\(kind).swift") }, "\(kind)")
            let broken = SourceFile(path: file.path, text: "let a = unsafe b()\n")
            #expect(HouseRules.unsafe(in: broken).count == 1, "\(file.path) is not guarded")
        }
    }

    @Test("the rules' own files keep the length")
    func ownLength() throws {
        #expect(try Checkout.swiftFiles(under: "Tests/ConventionTests").flatMap(HouseRules.length) == [])
    }

    @Test("every module of the package has its arrows declared, and the manifest declares no others")
    func arrowsAreComplete() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Checkout.root + "/Sources")
        let modules = folders.filter {
            !["CLinux", "CZlib", "CCrypt", "CCurl", "CMaxMindDB", "COpenSSL", "CTLS", "CYAML"].contains($0)
                && !$0.hasPrefix(".")
        }
        #expect(Set(modules) == Set(HouseRules.arrows.keys))
    }

    @Test("build results and the lock file of dependencies stay out of the repository")
    func ignored() throws {
        let ignored = try Checkout.text(".gitignore").components(separatedBy: "\n")
        for entry in [".build/", "Package.resolved", ".test-servers/"] { #expect(ignored.contains(entry)) }
    }

    @Test("the benchmark of the registry compresses with the exporter's own file, not with a copy")
    func linkedFiles() throws {
        let path = Checkout.root + "/Benchmarks/Registry/Sources/Registry/GzipStream.swift"
        let target = try FileManager.default.destinationOfSymbolicLink(atPath: path)
        #expect(target == "../../../../Sources/WeirExporter/Pages/GzipStream.swift")
    }

    @Test("checked-in files are text")
    func textOnly() throws {
        let pictures: Set = ["png", "svg", "ico"]
        // Inputs of the fuzz targets are what peers may send.
        for path in try Self.trackedFiles() where !path.hasPrefix("Fuzz/Corpus/") {
            guard !pictures.contains(URL(fileURLWithPath: path).pathExtension),
                let data = FileManager.default.contents(atPath: Checkout.root + "/" + path)
            else { continue }
            #expect(!data.prefix(8_192).contains(0), "\(path) holds a NUL byte")
            #expect(data.count < 1_000_000, "\(path) has \(data.count) bytes")
        }
    }

    /// The files that git knows.
    private static func trackedFiles() throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "-C", Checkout.root, "ls-files", "-z"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let names = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        let files = names.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        try #require(files.count > 20)
        return files
    }
}
