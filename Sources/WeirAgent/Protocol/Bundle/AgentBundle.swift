/// The archive with the credentials of an agent's client: `ca.pem`, `cert.pem` and `key.pem`. Its bytes are not judged
/// as certificates.
public struct AgentBundle: Sendable, Equatable {
    /// The certificate of the agent's authority.
    public let authority: [UInt8]
    /// The client's certificate.
    public let certificate: [UInt8]
    /// Its key. It never appears in a message.
    public let key: [UInt8]

    /// A fault of an archive, in words that have no byte of it.
    public struct Fault: Error, Sendable, Equatable {
        /// The expected and the found content.
        public let text: String
    }

    /// Reads an archive.
    public init(zip bytes: [UInt8]) throws(Fault) {
        do throws(ZipReader.Fault) {
            let archive = try ZipReader(bytes)
            authority = try archive.bytes(of: "ca.pem")
            certificate = try archive.bytes(of: "cert.pem")
            key = try archive.bytes(of: "key.pem")
        } catch {
            throw Fault(text: error.text)
        }
    }
}

extension ZipReader.Fault {
    fileprivate var text: String {
        switch self {
        case .noArchive: "expected a zip archive, found none, or one that was cut off"
        case .tooManyEntries: "expected a zip archive of a few files, found one of many"
        case .tooLarge: "expected certificates, found a file of more than 256 KiB"
        case .unsupported: "expected files that are stored or deflated, found another kind, or encrypted ones"
        case .damaged: "the zip archive is damaged"
        case .missing(let name): "expected one `\(name)` in the zip archive, found none or several"
        }
    }
}
