import Foundation

/// Certificates that openssl(1) makes.
package enum TestCertificate {
    /// Writes `NAME.pem` and `NAME.key`: signed by itself, or by `authority`, whose files are in the same folder.
    package static func write(
        _ name: String, names: [String], to folder: TemporaryDirectory, authority: String? = nil, days: Int = 10,
        isAuthority: Bool = false
    ) throws {
        var arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "\(days)",
            "-keyout", folder.file(name + ".key"), "-out", folder.file(name + ".pem"), "-subj", "/CN=\(name)",
        ]
        if !names.isEmpty {
            let texts = names.map { $0.allSatisfy { "0123456789.".contains($0) } ? "IP:\($0)" : "DNS:\($0)" }
            arguments += ["-addext", "subjectAltName=\(texts.joined(separator: ","))"]
        }
        if isAuthority {
            arguments += ["-addext", "basicConstraints=critical,CA:TRUE"]
        } else {
            arguments += ["-addext", "basicConstraints=critical,CA:FALSE"]
        }
        if let authority {
            arguments += ["-CA", folder.file(authority + ".pem"), "-CAkey", folder.file(authority + ".key")]
        }
        let result = try ChildProcess.run("openssl", arguments)
        guard result.succeeded else { throw WrongAnswer("openssl: \(result)") }
        chmod(folder.file(name + ".key"), 0o600)
    }
}
