import NetworkTypes

/// Reads the files of certificates, and has them looked at. No message has a byte of a key.
struct CertificateReader {
    /// The bound on a file, in bytes.
    static let maxFileByteCount = 1 << 20

    let context: ReadingContext

    private var diagnostics: Diagnostics { context.diagnostics }
    private var validation: (any CertificateValidation)? { context.referencedFiles.certificates }

    /// Checks a chain with its key. False after an error.
    func check(_ files: CertificateFiles, at origins: (certificate: Origin, key: Origin)) -> Bool {
        guard let validation, context.referencedFiles.opensFiles else { return true }
        return inspect(files, at: origins, by: validation) != nil
    }

    /// Reads a chain with its key, and has them looked at. Nil after an error.
    private func inspect(
        _ files: CertificateFiles, at origins: (certificate: Origin, key: Origin),
        by validation: any CertificateValidation
    ) -> CertificateCheckResult? {
        guard let chain = read(files.certificate, "certificate", at: origins.certificate),
            let key = read(files.key, "key", at: origins.key)
        else { return nil }
        if isReadableByEverybody(path: files.key.path) {
            diagnostics.warning(
                origins.key,
                "`key`: everybody on this machine may read \(quoted(files.key.text)): take that away with `chmod o-r`")
        }
        let result = validation.check(chain: chain, key: key)
        if let problem = result.problem {
            let (name, file) = result.isAboutKey ? ("key", files.key) : ("certificate", files.certificate)
            diagnostics.error(
                result.isAboutKey ? origins.key : origins.certificate, "`\(name)`: \(quoted(file.text)): \(problem)")
            return nil
        }
        if result.expiry < validation.now {
            diagnostics.warning(
                origins.certificate,
                "`certificate`: \(quoted(files.certificate.text)) has ended: peers refuse it")
        }
        context.referencedFiles.note(
            CertificateReport(path: files.certificate.text, names: result.names, expiry: result.expiry))
        return result
    }

    /// The name that a client verifies, whatever address it dials.
    private static let agentName = "godoxy.agent"

    /// Checks the certificate of an agent, with its key. False after an error.
    func checkAgent(_ files: CertificateFiles, at origins: (certificate: Origin, key: Origin)) -> Bool {
        guard isSupported("agent", at: origins.certificate) else { return false }
        guard let validation, context.referencedFiles.opensFiles else { return true }
        guard let result = inspect(files, at: origins, by: validation) else { return false }
        let problem: String? =
            if result.expiry < validation.now {
                "it has ended, and every client refuses it"
            } else if !result.names.split(separator: ",").contains(where: { $0.lowercased() == Self.agentName }) {
                "expected the name `\(Self.agentName)`, which clients verify, found \(quoted(result.names))"
            } else if !result.isElliptic {
                "expected a key for ECDSA (P-256), found another kind: the one cipher of its UDP half needs it"
            } else if result.chainLength > 1 {
                "expected one certificate, signed by the authority itself, found \(result.chainLength): the handshake "
                    + "of its UDP half must fit a datagram"
            } else {
                nil
            }
        guard let problem else { return true }
        diagnostics.error(origins.certificate, "`certificate`: \(quoted(files.certificate.text)): \(problem)")
        return false
    }

    /// Checks a file of authorities. False after an error.
    func check(authorities file: NamedFile, _ key: String, at origin: Origin) -> Bool {
        guard let validation, context.referencedFiles.opensFiles else { return true }
        guard let bytes = read(file, key, at: origin) else { return false }
        guard let problem = validation.check(authorities: bytes) else { return true }
        diagnostics.error(origin, "`\(key)`: \(quoted(file.text)): \(problem)")
        return false
    }

    /// Checks an archive with the credentials of an agent. False after an error.
    func check(bundle file: NamedFile, at origin: Origin) -> Bool {
        guard let validation, context.referencedFiles.opensFiles else { return true }
        guard let bytes = read(file, "bundle", at: origin) else { return false }
        if isReadableByEverybody(path: file.path) {
            diagnostics.warning(
                origin,
                "`bundle`: everybody on this machine may read \(quoted(file.text)): take that away with `chmod o-r`")
        }
        let result = validation.check(bundle: bytes)
        if let problem = result.problem {
            diagnostics.error(origin, "`bundle`: \(quoted(file.text)): \(problem)")
            return false
        }
        if result.expiry < validation.now {
            diagnostics.warning(origin, "`bundle`: the certificate in \(quoted(file.text)) has ended: agents refuse it")
        }
        context.referencedFiles.note(
            CertificateReport(path: file.text, names: result.names, expiry: result.expiry))
        return true
    }

    /// Whether the program speaks TLS; the error of one that does not is noted.
    func isSupported(_ key: String, at origin: Origin) -> Bool {
        guard let validation, !validation.isSupported else { return true }
        diagnostics.error(
            origin, "`\(key)`: this program was built without TLS: build it with the package trait `TLS`")
        return false
    }

    private func read(_ file: NamedFile, _ key: String, at origin: Origin) -> [UInt8]? {
        do throws(ValueError) {
            let bytes = try readFile(path: file.path, limit: Self.maxFileByteCount, kind: .regular)
            if bytes.count <= Self.maxFileByteCount { return bytes }
            diagnostics.error(origin, "`\(key)`: expected at most 1 MiB in \(quoted(file.text)), found more")
        } catch {
            diagnostics.error(origin, "`\(key)`: \(quoted(file.text)): \(error.message)")
        }
        return nil
    }
}

/// Reads a chain with its key again, for new handshakes.
package func readCertificate(_ files: CertificateFiles) throws(ValueError) -> (chain: [UInt8], key: [UInt8]) {
    (try readWhole(files.certificate), try readWhole(files.key))
}

/// Reads a file of certificates or of a key.
package func readWhole(_ file: NamedFile) throws(ValueError) -> [UInt8] {
    do throws(ValueError) {
        let bytes = try readFile(path: file.path, limit: CertificateReader.maxFileByteCount, kind: .regular)
        if bytes.count <= CertificateReader.maxFileByteCount { return bytes }
    } catch {
        throw ValueError("\(file.text): \(error.message)")
    }
    throw ValueError("\(file.text): expected at most 1 MiB, found more")
}
