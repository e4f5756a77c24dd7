public import WeirConfiguration

/// The means to ask one engine.
public struct EngineAccess: Sendable, Equatable {
    /// The engine.
    public let endpoint: Configuration.Docker.Endpoint
    /// The files of certificates, for engines at `tcp://`.
    let authorities: String?
    let certificate: String?
    let key: String?

    /// The means that a configuration has.
    public init(_ endpoint: Configuration.Docker.Endpoint, _ settings: Configuration.Docker) {
        self.endpoint = endpoint
        authorities = settings.authorities
        certificate = settings.certificate
        key = settings.key
    }

    /// Whether connections are encrypted.
    var isEncrypted: Bool {
        if case .unix = endpoint.address { return false }
        return authorities != nil || certificate != nil
    }

    /// The beginning of every request's URL.
    var baseURL: String {
        switch endpoint.address {
        case .unix: "http://localhost"
        case .tcp(let host, let port):
            "\(isEncrypted ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }
}
