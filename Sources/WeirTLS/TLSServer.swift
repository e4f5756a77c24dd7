import CTLS
public import NetworkTypes
import Threading

/// The settings of the server that Weir is for clients.
public struct TLSServerSettings: Sendable, Equatable {
    /// The oldest version of TLS that is spoken.
    public var minimum = TLSVersion.tls12
    /// The certificates of authorities, in PEM, by which those of clients are verified. Clients are asked for one, and
    /// ``demandsCertificate`` decides on those that have none. Empty where clients are not asked.
    public var clientAuthorities: [UInt8] = []
    /// Whether clients without a certificate are refused; otherwise they are only asked for one, and one that cannot be
    /// verified is refused.
    public var demandsCertificate = true
    /// The protocols (ALPN) in the order of preference. A client that offers others only is refused.
    public var protocols: [String] = []
    /// The SHA-256 of the certificates that clients may have, 32 bytes each; empty for all that the authorities have
    /// signed.
    public var clientPins: [[UInt8]] = []
    /// The names, or names behind `*.`, that clients may ask for; empty for all.
    public var allowedNames: [String] = []

    /// The defaults.
    public init() {}
}

/// A TLS server: makes the sessions of a route's clients. Certificates can be replaced while it is used; sessions that
/// were made before are not touched.
public final class TLSServer: Sendable {
    private struct State {
        let context: TLSContext
        let certificates: CertificateSet
    }

    private let state: Lock<State>

    /// Makes a server; nil where OpenSSL refuses the settings.
    public init?(_ settings: TLSServerSettings, certificates: CertificateSet) {
        guard let context = TLSContext.server(settings) else { return nil }
        state = Lock(State(context: context, certificates: certificates))
    }

    /// Uses other certificates for new handshakes.
    public func use(_ certificates: CertificateSet) {
        state.withLock { $0 = State(context: $0.context, certificates: certificates) }
    }

    /// Uses other settings for new handshakes. False where OpenSSL refuses them.
    public func use(_ settings: TLSServerSettings) -> Bool {
        guard let context = TLSContext.server(settings) else { return false }
        state.withLock { $0 = State(context: context, certificates: $0.certificates) }
        return true
    }

    /// Makes the session of a client, on its worker.
    public func makeSession(worker: Int, observer: (any TLSObserver)?) -> TLSSession {
        // Taken before a handshake only, which costs a thousand times as much.
        let (context, certificates) = state.withLock { ($0.context, $0.certificates) }
        return TLSSession(accepting: context, certificates, worker: worker, observer: observer)
    }
}
