#if TLS
import Foundation
import TestSupport
import WeirTLS

/// An authority of the tests' own that makes certificates with openssl(1).
final class TestAuthority: Sendable {
    let folder: TemporaryDirectory
    private let counter = Shared(0)

    /// Makes the authority's certificate: `ca.pem` and `ca.key`.
    init() throws {
        folder = try TemporaryDirectory("authority")
        try Self.openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            folder.file("ca.key"), "-out", folder.file("ca.pem"), "-days", "30", "-subj", "/CN=test authority",
            "-addext", "basicConstraints=critical,CA:TRUE",
        ])
    }

    /// The authority's certificate.
    var certificate: [UInt8] { Array(contents(of: folder.file("ca.pem")).utf8) }

    /// Makes a certificate with a key. `days` may be negative for one that has ended.
    func make(
        _ names: [String], common: String = "leaf", days: Int = 10, key: String = "ec", usage: String? = nil
    ) throws -> CertificateBytes {
        let number = counter.withLock { count in
            count += 1
            return count
        }
        let base = folder.file("leaf-\(number)")
        var request = ["req", "-new", "-nodes", "-newkey"]
        request += key == "ec" ? ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] : [key]
        request += ["-keyout", base + ".key", "-out", base + ".csr", "-subj", "/CN=\(common)"]
        try Self.openssl(request)
        let alternatives = names.map {
            ($0.contains(":") || $0.allSatisfy { "0123456789.".contains($0) }) ? "IP:\($0)" : "DNS:\($0)"
        }
        var extensions = "basicConstraints=CA:FALSE\n"
        if !alternatives.isEmpty { extensions += "subjectAltName=\(alternatives.joined(separator: ","))\n" }
        if let usage { extensions += "extendedKeyUsage=\(usage)\n" }
        try folder.write("leaf-\(number).ext", extensions)
        try Self.openssl([
            "x509", "-req", "-in", base + ".csr", "-CA", folder.file("ca.pem"), "-CAkey", folder.file("ca.key"),
            "-CAcreateserial", "-out", base + ".pem", "-days", "\(days)", "-extfile", base + ".ext",
        ])
        return CertificateBytes(
            chain: Array(contents(of: base + ".pem").utf8) + certificate,
            key: Array(contents(of: base + ".key").utf8))
    }

    private static func openssl(_ arguments: [String]) throws {
        let result = try ChildProcess.run("openssl", arguments)
        guard result.succeeded else { throw WrongAnswer("openssl \(arguments[0]): \(result)") }
    }

    /// One authority for all tests, and certificates that many of them use.
    static let shared = Result { try TestAuthority() }
    static let server = Result { try shared.get().make(["a.example.net", "127.0.0.1"]) }
}
#endif
