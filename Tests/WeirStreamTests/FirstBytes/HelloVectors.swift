import Foundation

@testable import WeirStream

/// A hello of `Fuzz/Corpus/ClientHello`, which `scripts/hellos` writes, with the result that the parser should have.
struct HelloVector: Sendable, CustomStringConvertible {
    enum Outcome: Equatable, Sendable {
        case hello(String?, [String] = [])
        case malformed, tooLong, notTLS, needsMore
    }

    let file: String
    let outcome: Outcome

    var description: String { file }

    var isAccepted: Bool {
        if case .hello = outcome { true } else { false }
    }

    var bytes: [UInt8] {
        get throws { Array(try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/" + file))) }
    }

    private static let folder =
        #filePath.components(separatedBy: "/Tests/WeirStreamTests/")[0] + "/Fuzz/Corpus/ClientHello"

    static func filesOfCorpus() throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder))
    }

    private static func vectors(_ outcome: Outcome, _ files: String...) -> [HelloVector] {
        files.map { HelloVector(file: $0, outcome: outcome) }
    }

    private static let name = "www.example.net"

    /// Captured from clients.
    private static let captured =
        vectors(.hello(name), "openssl-1.0", "openssl-1.2", "openssl-1.3", "openssl-psk")
        + vectors(.hello(name, ["imap", "h2"]), "openssl-1.2-protocols", "openssl-1.3-protocols")
        + vectors(.hello(nil), "openssl-no-name")
        + vectors(.hello(name), "gnutls", "gnutls-1.2")
        + vectors(.hello(name, ["imap", "h2"]), "gnutls-protocols")
        + vectors(.hello(name, ["h2", "http/1.1"]), "curl") + vectors(.hello(name, ["http/1.1"]), "curl-http1.1")
        + vectors(.hello(name), "curl-no-protocols")
        // With GREASE, its extensions in an order of chance, and a share of ML-KEM or Kyber over two segments.
        + vectors(.hello(name, ["h2", "http/1.1"]), "chromium") + vectors(.hello(name), "python", "go")
        + vectors(.hello(name, ["imap", "h2"]), "python-protocols", "go-protocols")

    private static let accepted =
        vectors(.hello(nil), "no-extensions", "empty-extensions")
        + vectors(
            .hello(name), "name", "upper-case", "pre-shared-key", "unknown-extensions", "records-of-one-byte",
            "head-in-three-records", "early-data-behind", "16-kib")
        + vectors(.hello(name, ["h2", "http/1.1"]), "name-and-protocols", "two-records", "record-ends-in-name")
        + vectors(.hello(nil, ["imap", "pop3"]), "protocols-alone")
        + vectors(.hello(name, ["x,imap"]), "comma-in-protocol")
        + vectors(.hello(name, ["h2", "imap"]), "h2-before-imap")
        + vectors(.hello("my_service-1"), "one-label") + vectors(.hello("web.1"), "numeric-last-label")
        + vectors(
            .hello(
                [String](repeating: String(repeating: "a", count: 63), count: 3).joined(separator: ".") + "."
                    + String(repeating: "b", count: 61)), "longest-name")
        + vectors(.hello(name, ["\n\n", "h2"]), "grease") + vectors(.hello(name, ["h2"]), "hybrid-key-share")
        + vectors(.hello("public.example.net"), "encrypted-hello")

    private static let malformed = vectors(
        .malformed, "nul-in-name", "space-in-name", "ipv4-name", "short-ipv4-name", "ipv6-name", "dot-at-end",
        "dot-at-beginning", "empty-label", "only-a-dot", "empty-name", "name-of-254-bytes", "label-of-64-bytes",
        "name-not-ascii", "wildcard-name", "two-names", "name-of-another-type", "name-behind-another-type",
        "two-name-extensions", "two-unknown-extensions", "empty-name-extension", "empty-name-list",
        "list-one-too-long", "list-one-too-short", "name-one-too-long", "name-one-too-short",
        "extension-beyond-the-end", "extensions-one-too-long", "extensions-one-too-short", "byte-behind-extensions",
        "half-an-extension", "session-of-33-bytes", "odd-suites", "no-suites", "no-compression", "version-2",
        "no-protocols", "empty-protocol", "protocol-beyond-the-end", "empty-fragment", "empty-first-fragment",
        "alert-between", "other-version-between", "record-of-16385-bytes", "server-hello", "too-short-a-hello",
        "alert-first-byte")

    static let all =
        captured + accepted + malformed
        + vectors(.tooLong, "16-kib-and-a-byte", "17-kib", "16-mib-stated", "too-long-by-its-records")
        + vectors(
            .notTLS, "http", "ssh", "sslv2-hello", "first-byte-alone-like-tls", "postgres-ssl-request",
            "postgres-gss-request", "postgres-cancel-request", "postgres-startup")

    static let good = all.filter(\.isAccepted)
    static let bad = all.filter { !$0.isAccepted }
}

/// Hellos that tests make.
enum HelloBytes {
    private static func sized(_ width: Int, _ bytes: [UInt8]) -> [UInt8] {
        (0..<width).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) } + bytes
    }

    /// Returns a hello with a server name and protocols of ALPN, each unless it is empty.
    static func make(_ name: String = "", _ protocols: [String] = []) -> [UInt8] {
        var extensions: [UInt8] = []
        if !name.isEmpty { extensions += [0, 0] + sized(2, sized(2, [0] + sized(2, Array(name.utf8)))) }
        if !protocols.isEmpty {
            extensions += [0, 16] + sized(2, sized(2, protocols.flatMap { sized(1, Array($0.utf8)) }))
        }
        return hello(extensions)
    }

    /// Returns a hello with empty extensions of these types.
    static func make(extensions types: [UInt16]) -> [UInt8] {
        hello(types.flatMap { type -> [UInt8] in [UInt8(type >> 8), UInt8(type & 0xff), 0, 0] })
    }

    private static func hello(_ extensions: [UInt8]) -> [UInt8] {
        let body = [3, 3] + [UInt8](repeating: 7, count: 32) + [0, 0, 2, 0x13, 1, 1, 0] + sized(2, extensions)
        return records([1] + sized(3, body))
    }

    /// Cuts a message into records of at most `size` bytes.
    static func records(_ message: [UInt8], size: Int = 1 << 14) -> [UInt8] {
        stride(from: 0, to: message.count, by: size).flatMap { start in
            [22, 3, 1] + sized(2, Array(message[start..<min(start + size, message.count)]))
        }
    }
}
