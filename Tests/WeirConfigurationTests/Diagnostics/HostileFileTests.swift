import NetworkTypes
import Testing

import struct TestSupport.SeededGenerator
import func TestSupport.fuzzRounds

@testable import WeirConfiguration

@Suite("Hostile files") struct HostileFileTests {
    /// Anchors of which each has nine aliases to the one before.
    private func bomb(levels: Int) -> String {
        var text = "x-0: &a0 [lol, lol]\n"
        for level in 1...levels {
            let aliases = [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "x-\(level): &a\(level) [\(aliases)]\n"
        }
        return text
    }

    @Test("An alias bomb is bounded, as value")
    func aliasBomb() {
        let found = errors(bomb(levels: 20) + route("host: *a20"))
        #expect(found.count == 1)
        #expect(found.first?.hasSuffix("error: aliases expand to more than 100000 values") == true)
    }

    @Test(
        "An alias bomb is refused as key, in every way to write a key",
        arguments: [
            "*a20 : 1\n", "? *a20\n: 1\n", "x: {*a20 : 1}\n", "x: {[*a20]: 1}\n", "[*a20, *a20] : 1\n",
            "x: [? *a20 : 1]\n",
            "- ? *a20\n", "? - *a20\n", "? {a: *a20}\n", "x: {\"q\": 1, {a: *a20}:1}\n", "x: [{a: *a20} : 1]\n",
        ])
    func aliasBombAsKey(text: String) {
        let found = errors(bomb(levels: 20) + text)
        #expect(found.count == 1)
    }

    @Test("Aliases beside text that looks like keys are fine")
    func guardIsNoNuisance() throws {
        let configuration = try load(
            """
            x-a: &a 1s # *b : no key, {x}: no key
            x-b: 'it''s *c : none'
            x-c: "a \\" *d : {y}: ? z"
            routes: { a: { scheme: tcp, dial_timeout: *a, port: "${A:-1}:${B:-2}" } , b: {scheme: udp, port: 1:2 } }
            """)
        #expect(configuration.routes.count == 2)
        #expect(try load("x-a: &a 1s\n" + route("dial_timeout: *a", "host: ${H:-h}")).routes[0].host == .name("h"))
    }

    @Test("Deep nesting is refused, not recursed into")
    func deepNesting() {
        for depth in [40, 900, 5_000] {
            let text = "routes: " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            #expect(errors(text).count == 1)
            let block = (0..<min(depth, 900)).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
            #expect(errors(block).count == 1)
        }
    }

    @Test("A file over 4 MiB is refused, one below is read")
    func size() {
        let comment = "# " + String(repeating: "x", count: 4 << 20)
        #expect(errors(comment) == ["weir.yml: error: expected a file of at most 4 MiB, found more"])
        let below = "# " + String(repeating: "x", count: (4 << 20) - 100) + "\n"
        #expect(errors(below + route()) == [])
    }

    @Test("Keys that are lists or mappings are errors")
    func complexKeys() {
        #expect(
            errors("? [a]\n: b\n" + route()) == [
                "weir.yml:1:3: error: expected a name as key, found a mapping or a list"
            ])
    }

    @Test(
        "Invalid bytes in a tag, and escapes of all kinds, do no harm",
        arguments: [
            "!%C0%80 a: b\n", "\"\\uD800\": 1\n", "\"\\0\": \"\\x00\"\n", "%YAML 9.9\n---\na: b\n",
            "%TAG ! tag:x,2000:\n---\n!a b: c\n",
            "'': ''\n'': ''\n", "\"\\\"\": 1\n\"\\\"\": 2\n", "&a a: *a\n", "&a [*a]\n", "<<: {<<: {<<: 1}}\n",
            "<<: 1\n<<: 2\n",
            "? \n? \n", "\u{e000}: 1\n\u{e000}: 2\n", "é: 1\né: 2\n", "'''': 1\n'''': 2\n",
        ])
    func oddities(text: String) {
        #expect(!errors(text).isEmpty)
        #expect(!errors(text + route()).isEmpty)
    }

    @Test("Mutations of a valid file never trap, and every error has a message")
    func fuzz() {
        let valid = Array(
            """
            x-a: &a { dial_timeout: 5s, host: "${HOST:-h}" }
            exporter: { listen: "[::1]:9847", max_series: 5000 }
            log: { level: info, format: json }
            workers: 2
            defaults: { idle_timeout: 1m30s }
            routes:
              ssh: { <<: *a, scheme: tcp4, bind: 127.0.0.1, port: 2222:22, keepalive: {idle: 60s} }
              "dns":
                scheme: udp
                host: '[2001:db8::1]'
                port: "53:53"  # both
                responses: 1
            """.utf8)
        let pieces = [
            "{", "}", "[", "]", ":", ": ", "\n", "  ", "\"", "'", "&a ", "*a", "<<: ", "${", "}", "$${", "- ", "? ",
            "|", ">", "!!str ", "#", "%", "---\n", "0", "-1", "::", "\u{fc}", "x-", "tcp", "port: 1\n",
        ]
        .map { Array($0.utf8) }
        #expect(errors(bytes: valid) == [])
        var generator = SeededGenerator(seed: 0x57_45_49_52)
        for _ in 0..<fuzzRounds(20_000) {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let offset = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<6, using: &generator) {
                case 0: bytes[offset] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: offset)
                case 2: bytes.insert(contentsOf: pieces.randomElement(using: &generator) ?? [], at: offset)
                case 3:
                    bytes.removeSubrange(offset..<min(bytes.count, offset + Int.random(in: 1...40, using: &generator)))
                case 4:
                    let end = min(bytes.count, offset + Int.random(in: 1...40, using: &generator))
                    let target = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes.insert(contentsOf: bytes[offset..<end], at: target)
                default: bytes[offset] = UInt8.random(in: 0x20...0x7e, using: &generator)
                }
                if bytes.isEmpty { bytes = valid }
            }
            do {
                let loaded = try Configuration.parse(bytes: bytes, file: "f", environment: ["HOST": "a"])
                if loaded.configuration.routes.isEmpty { Issue.record("a file without routes was taken") }
            } catch {
                if !error.diagnostics.contains(where: { $0.severity == .error && !$0.message.isEmpty }) {
                    Issue.record("refused without an error: \(String(decoding: bytes, as: UTF8.self))")
                }
            }
        }
    }
}
