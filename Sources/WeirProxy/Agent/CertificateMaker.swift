#if TLS
import WeirAgent
#endif

/// Makes the certificates of agents and their clients, for `weir agent certificates`.
public struct CertificateMaker: Sendable {
    /// The agent's name.
    public let name: String
    /// The folder of the files.
    public let directory: String
    /// The days until the certificates end; nil for as many as there may be.
    public let days: Int?
    /// The name of a further client of an authority that is there; nil makes everything.
    public let client: String?
    /// Whether the client may only ask for `/metrics` and `/healthz`.
    public let isScraper: Bool

    /// Joins what to make.
    public init(name: String, directory: String, days: Int?, client: String?, isScraper: Bool) {
        self.name = name
        self.directory = directory
        self.days = days
        self.client = client
        self.isScraper = isScraper
    }

    /// The reason why nothing was made, in one line.
    public struct Failure: Error, Sendable {
        /// The line.
        public let text: String
    }

    /// Makes them. Returns a line for each file.
    public func make() throws(Failure) -> [String] {
        #if TLS
        var certificates = AgentCertificates(name: name, directory: directory)
        certificates.days = days ?? AgentCertificates.maxDays
        certificates.client = client
        certificates.isScraper = isScraper
        do throws(AgentCertificates.Problem) {
            return try certificates.make().map { file in
                file.fingerprint.map { "\(file.path): SHA-256 \($0)" } ?? file.path
            }
        } catch {
            throw Failure(text: "\(error)")
        }
        #else
        throw Failure(text: "this program was built without TLS: build it with the package trait `TLS`")
        #endif
    }
}
