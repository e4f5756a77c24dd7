import Glibc
import TestSupport
import Testing

@testable import WeirConfiguration

/// Hashes of a made-up password: one of each kind that is taken.
private let yescrypt = "$y$j9T$weirtest$HDlIwr708YQf8J1BP826YlN7jlTT4Z42usnXy0Bp777"
private let bcrypt = "$2b$12$abcdefghijklmnopqrstuufJyGQz74MaXA58G4n4SAlu8WLjGODFe"
private let sha512 =
    "$6$weirtest$Qll0NVcpycHM/9KuqbUPZgIWPHShXbCscULmkwFuEtNxrYLqR75K2OhCP0QlPZCIskmG6fInbDpC6c9uLbW9.."

/// A configuration in a folder of its own, with files beside it.
private struct ConfigurationFolder {
    let folder: TemporaryDirectory

    init(_ exporter: String, _ files: [String: String] = [:], mode: mode_t = 0o600) throws {
        folder = try TemporaryDirectory("exporter")
        try folder.write("weir.yml", "exporter:\n\(exporter)" + route())
        for (name, text) in files { chmod(try folder.write(name, text), mode) }
    }

    func load(environment: [String: String] = [:]) throws -> Configuration.Loaded {
        try Configuration.load(path: folder.file("weir.yml"), environment: environment)
    }

    /// Every finding, without the folder.
    var findings: [String] { findings(environment: [:]) }

    func findings(environment: [String: String]) -> [String] {
        let all: [Diagnostic]
        do {
            all = try load(environment: environment).warnings
        } catch let error as ConfigurationErrors {
            all = error.diagnostics
        } catch {
            return ["\(error)"]
        }
        return all.map { diagnostic in
            var rest = diagnostic.description[...]
            var text = ""
            while let range = rest.firstRange(of: folder.path + "/") {
                text += rest[..<range.lowerBound]
                rest = rest[range.upperBound...]
            }
            return text + rest
        }
    }
}

@Suite("The exporter in a file") struct ExporterTests {
    @Test("It listens on one address or several, and Unix sockets are addresses")
    func listeners() throws {
        let one = try load("exporter: { listen: unix:/run/weir/exporter.sock }\n" + route()).exporter
        #expect(one.listen.map(\.description) == ["unix:/run/weir/exporter.sock"] && one.socketMode == 0o660)
        let several = try load(
            """
            exporter:
              listen: [127.0.0.1:9847, "[::1]:9847", "unix:/run/a b", 0.0.0.0:1, "[::]:1"]
              socket_mode: 0600

            """ + route()
        ).exporter
        #expect(
            several.listen.map(\.description)
                == ["127.0.0.1:9847", "[::1]:9847", "unix:/run/a b", "0.0.0.0:1", "[::]:1"])
        #expect(several.socketMode == 0o600)
    }

    @Test(
        "A text that is no address is told with its location",
        arguments: [
            ("listen: []", "11: error: `listen`: expected 1 to 16 addresses, found 0"),
            (
                "listen: [127.0.0.1:1, unix:run/s]",
                "25: error: `listen`: expected an absolute path such as `unix:/run/weir/exporter.sock`, found "
                    + "`unix:run/s`"
            ),
            ("listen: [unix:/s, unix:/s]", "21: error: `listen`: `/s` is named twice"),
            (
                "listen: [127.0.0.1:1, 127.0.0.1:1]",
                "25: error: the exporter: the TCP listener 127.0.0.1:1 is also the listener of the exporter (line 2)"
            ),
            (
                "listen: [127.0.0.1:1, 0.0.0.0:8080]",
                "error: route `a`: the TCP listener *:8080 overlaps the listener 0.0.0.0:8080 of the exporter (line 2)"
            ),
            (
                "listen: [127.0.0.1:1, {a: b}]",
                "25: error: `listen`: expected an IP address and a port such as `127.0.0.1:9847`, or "
                    + "`unix:/run/weir/exporter.sock`, found a mapping"
            ),
            ("socket_mode: rw", "16: error: `socket_mode`: expected permissions in octal such as `0660`, found `rw`"),
            (
                "socket_mode: 0880",
                "16: error: `socket_mode`: expected permissions in octal such as `0660`, found `0880`"
            ),
            (
                "socket_mode: 1777",
                "16: error: `socket_mode`: expected permissions in octal such as `0660`, found `1777`"
            ),
            ("allow: []", "10: error: `allow`: expected a list such as `[10.0.0.0/8]`, found nothing: no client but"),
            ("allow: [10.0.0.1/8]", "11: error: `allow`: found an address with bits behind the length in `10.0.0.1/8`"),
            ("allow: all", "10: error: `allow`: expected a list such as `[10.0.0.0/8]`, found `all`"),
            ("auth: {}", "9: error: `auth`: expected a `bearer_token_file` or `basic`, found neither"),
            ("auth: { basic: {} }", "18: error: `basic`: expected `users` or a `users_file`, found neither"),
            ("auth: { basic: { users: {} } }", "27: error: `users`: expected a mapping from names to hashes of"),
            ("auth: { bearer_token: x }", "11: error: `auth`: unknown key `bearer_token`, expected one of"),
            (
                "auth: { bearer_token_file: /x }",
                "30: error: `bearer_token_file`: expected the path of a file, found `/x`"
            ),
        ])
    func errors(line: String, expected: String) {
        let found = WeirConfigurationTests.errors("exporter:\n  \(line)\n" + route())
        #expect(found.count == 1, "\(found)")
        #expect(found[0].contains(expected), "\(found[0])")
        if !expected.hasPrefix("error") { #expect(found[0].hasPrefix("weir.yml:2:" + expected), "\(found[0])") }
    }

    @Test("A path is as long as the kernel takes it")
    func longPath() {
        let path = "/" + String(repeating: "a", count: 106)
        #expect(WeirConfigurationTests.errors("exporter: { listen: unix:\(path) }\n" + route()) == [])
        let found = WeirConfigurationTests.errors("exporter: { listen: unix:\(path)a }\n" + route())
        #expect(found.first?.contains("expected a path of at most 107 bytes, found 108") == true)
    }

    @Test("Users and tokens are read, and each file is a part of the configuration")
    func authentication() throws {
        let folder = try ConfigurationFolder(
            """
              auth:
                bearer_token_file: tokens
                basic: { users: { ann: '\(yescrypt)' }, users_file: users }
              allow: [10.0.0.0/8, "2001:db8::/32"]

            """,
            [
                "tokens": "# of Prometheus\n0123456789abcdef0123456789abcdef\r\n\nsecond-token-2345678 \n",
                "users": "bob:\(bcrypt)\n# of others\ncarol:\(sha512)\n",
            ])
        #expect(folder.findings == [])
        let loaded = try folder.load()
        let exporter = loaded.configuration.exporter
        let authentication = try #require(exporter.authentication)
        #expect(authentication.tokens.map(\.text) == ["0123456789abcdef0123456789abcdef", "second-token-2345678"])
        #expect(authentication.users.map(\.name) == ["ann", "bob", "carol"])
        #expect(authentication.users.map(\.hash.text) == [yescrypt, bcrypt, sha512])
        #expect(exporter.allow?.map(\.description) == ["10.0.0.0/8", "2001:db8::/32"])
        #expect(loaded.dependencies.map(\.path) == [folder.folder.file("tokens"), folder.folder.file("users")])
        try folder.folder.replace("tokens", "another-token-of-32-bytes")
        #expect(try folder.load().configuration != loaded.configuration)
        // Nothing prints them.
        let dump = "\(exporter) \(String(reflecting: exporter))"
        #expect(!dump.contains("0123456789abcdef") && !dump.contains("weirtest"))
    }

    @Test("What is wrong with files of secrets is told, and never what stands there")
    func files() throws {
        let folder = try ConfigurationFolder(
            "  auth: { bearer_token_file: tokens, basic: { users: { ann: hunter2 }, users_file: users } }\n",
            [
                "tokens": "short-hunter2\nnot a token hunter2\n",
                "users": "bob:\(bcrypt)\nhunter2\nbob:\(sha512)\ncarol:hunter2\na\u{7}b:\(bcrypt)\n",
            ], mode: 0o644)
        let found = folder.findings
        #expect(
            found == [
                "tokens:1:1: error: expected a token of at least 16 bytes, found one that is short enough to be "
                    + "guessed: make one with `openssl rand -hex 32`",
                "tokens:2:1: error: expected a token of at most 512 letters, digits and `-._~+/=`, as RFC 6750 has "
                    + "them",
                "users:2:1: error: expected a name, a colon and a hash",
                "users:3:1: error: the user `bob` stands here twice",
                "users:4:1: error: expected a hash as crypt(5) writes it, found none: a password itself must not "
                    + "stand here; make one with `mkpasswd -m yescrypt` or `htpasswd -nBC 12 NAME`",
                "users:5:1: error: expected a name of at most 128 bytes without `:` and control characters",
                "weir.yml:2:30: warning: `bearer_token_file`: everybody on this machine may read `tokens`: take "
                    + "that away with `chmod o-r`",
                "weir.yml:2:61: error: `users`: `ann`: expected a hash as crypt(5) writes it, found none: a password "
                    + "itself must not stand here; make one with `mkpasswd -m yescrypt` or `htpasswd -nBC 12 NAME`",
                "weir.yml:2:84: warning: `users_file`: everybody on this machine may read `users`: take that away with "
                    + "`chmod o-r`",
            ])
        #expect(!found.contains { $0.contains("hunter2") })
    }

    @Test("A file of secrets that is empty, missing or too large lets in no client, and is an error")
    func uselessFiles() throws {
        for (text, expected) in [
            ("# nothing\n\n", "expected 1 to 256 lines in `tokens`, found 0"),
            (
                String(repeating: "a", count: 70_000),
                "expected at most 64 KiB of UTF-8 in `tokens`, found something else"
            ),
            (String(repeating: "abcdefghijklmnopqrst\n", count: 257), "expected 1 to 256 lines in `tokens`, found 257"),
        ] {
            let folder = try ConfigurationFolder("  auth: { bearer_token_file: tokens }\n", ["tokens": text])
            #expect(folder.findings == ["weir.yml:2:30: error: `bearer_token_file`: \(expected)"])
        }
        let folder = try ConfigurationFolder("  auth: { bearer_token_file: tokens }\n")
        #expect(
            folder.findings == [
                "weir.yml:2:30: error: `bearer_token_file`: `tokens`: cannot read the file: no such file"
            ])
    }

    @Test("A secret where the path of a file belongs is not printed, from a variable or written")
    func secretsAsPaths() throws {
        let secret = "q7w8e9r0t1y2u3i4o5p6"
        for (value, shown) in [("'${TOKEN}'", "`${TOKEN}`"), (secret, "`q7w8e9r0…`")] {
            let folder = try ConfigurationFolder(
                "  auth: { bearer_token_file: \(value), basic: { users_file: \(value) } }\n"
                    + "geoip: { database: '${TOKEN}' }\n"
                    + "acl: { deny: ['file:${TOKEN}', { file: '${TOKEN}' }] }\n")
            let found = folder.findings(environment: ["TOKEN": secret])
            #expect(found.count == 4)
            #expect(!found.joined().contains(secret), "\(found)")
            let told = found.count { $0.contains("_file`: \(shown): cannot read the file: no such file") }
            #expect(told == 2, "\(found)")
            #expect(found.contains { $0.contains("`file:${TOKEN}`: cannot read") })
        }
    }

    @Test("No part of a hash is printed that is damaged")
    func unshownHashes() {
        for hash in ["$6$rounds=hunter2$salt$hash", "$2b$h2$" + String(repeating: "a", count: 53)] {
            let message = refusal { () throws(ValueError) in try PasswordHashText.check(hash) }
            #expect(message?.contains("hunter2") == false && message?.contains("h2") == false)
        }
    }

    @Test("Hashes that libcrypt computes in a bounded time are taken", arguments: [yescrypt, bcrypt, sha512])
    func goodHashes(hash: String) throws {
        #expect(try PasswordHashText.check(hash) == nil)
    }

    @Test(
        "Other hashes are refused by name, without a word of them",
        arguments: [
            ("$1$salt$qKhz2zvHyxnmTvqRSbiVB1", "weak kind MD5"), ("$apr1$salt$XKTUM0Cn9O8Tc2Fm5OY1R1", "Apache's MD5"),
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1"), ("ab1EzGIFYbCRY", "DES"), ("$5$salt$x", "another kind"),
            ("$argon2id$v=19$m=65536$x$y", "another kind"), ("$2b$12$short", "damaged"),
            (String(bcrypt.dropLast()), "damaged"), (sha512 + "x", "damaged"), (yescrypt + "x", "damaged"),
            (bcrypt.replacing("$12$", with: "$15$"), "cost of 4 to 14"),
            (bcrypt.replacing("$2b$", with: "$2x$"), "broken bcrypt"),
            (sha512.replacing("$6$", with: "$6$rounds=9999999$"), "1000 to 1000000 rounds"),
            (yescrypt.replacing("j9T", with: "jDT"), "at most 128 MiB"), ("", "found none"), ("$y$", "another kind"),
        ])
    func badHashes(hash: String, expected: String) throws {
        let message = try #require(refusal { () throws(ValueError) in try PasswordHashText.check(hash) })
        #expect(message.contains(expected), "\(message)")
        #expect(hash.count < 8 || !message.contains(hash.suffix(8)))
    }

    @Test("Hashes that cost little to guess are taken with a warning")
    func cheapHashes() throws {
        #expect(
            try PasswordHashText.check(bcrypt.replacing("$12$", with: "$05$"))?.contains("cost of 5 is low") == true)
        let few = sha512.replacing("$6$", with: "$6$rounds=1000$")
        #expect(try PasswordHashText.check(few)?.contains("1000 rounds are few") == true)
    }

    @Test("Damaged hashes never trap, and are never taken for longer than they are")
    func damagedHashes() {
        var chance = SeededGenerator(seed: 5)
        let alphabet = Array("$2by6.j/T9=rounds0:".utf8)
        var refused = 0
        for _ in 0..<fuzzRounds(5_000) {
            var bytes = Array([yescrypt, bcrypt, sha512].randomElement(using: &chance)!.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &chance) where !bytes.isEmpty {
                let offset = Int.random(in: 0..<bytes.count, using: &chance)
                switch Int.random(in: 0..<3, using: &chance) {
                case 0: bytes[offset] = alphabet.randomElement(using: &chance)!
                case 1: bytes.remove(at: offset)
                default: bytes.insert(alphabet.randomElement(using: &chance)!, at: offset)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if refusal({ () throws(ValueError) in try PasswordHashText.check(text) }) != nil { refused += 1 }
        }
        #expect(refused > 1_000)
    }

    @Test("What cannot be reloaded is named, and who may read is not among it")
    func reload() throws {
        let old = try load(route())
        let new = try load("exporter: { listen: [127.0.0.1:9847, unix:/s], socket_mode: 0600 }\n" + route())
        #expect(new.reloadDifferences(from: old) == ["exporter.listen", "exporter.socket_mode"])
        let open = try load("exporter: { allow: [10.0.0.0/8] }\n" + route())
        #expect(open.reloadDifferences(from: old) == [] && open != old)
    }
}
