import CTLS
public import NetworkTypes
import Threading

/// The settings of the client that Weir is for upstreams.
public struct TLSClientSettings: Sendable, Equatable {
    /// The oldest version of TLS that is spoken.
    public var minimum = TLSVersion.tls12
    /// Whether upstreams must prove who they are.
    public var verifies = true
    /// Certificates of authorities that are trusted, PEM; empty for those of the system.
    public var authorities: [UInt8] = []
    /// The protocols (ALPN) that are offered.
    public var protocols: [String] = []
    /// The name that upstreams must have, instead of the one under which each is dialed.
    public var serverName: String?

    /// The defaults.
    public init() {}
}

/// A TLS client: makes the sessions with a route's upstreams.
public final class TLSClient: Sendable {
    private struct State {
        var context: TLSContext
        /// By the name of the server.
        var sessions: [String: ResumableSessions] = [:]
    }

    private let state: Lock<State>
    private let serverName: String?
    /// Beyond it sessions are not resumed.
    private static let maxNames = 256

    /// Makes a client, which shows the first certificate of `own` to servers that ask; nil where OpenSSL refuses the
    /// settings.
    public init?(_ settings: TLSClientSettings, own: CertificateSet?) {
        guard let context = TLSContext.client(settings, own: own) else { return nil }
        state = Lock(State(context: context))
        serverName = settings.serverName
    }

    /// Uses other settings for new handshakes. False where OpenSSL refuses them.
    public func use(_ settings: TLSClientSettings, own: CertificateSet?) -> Bool {
        guard let context = TLSContext.client(settings, own: own) else { return false }
        state.withLock { $0 = State(context: context) }
        return true
    }

    /// Makes the session with an upstream, on the worker of its connection. `name` is its host, where it has one, and
    /// `port` tells servers on several ports of a host apart. Without `resumes` the server's certificate is always
    /// looked at again.
    public func makeSession(
        to name: String?, port: UInt16, resumes: Bool = true, worker: Int, observer: (any TLSObserver)?
    ) -> TLSSession {
        let name = serverName ?? name
        guard resumes else { return makeSession(state.withLock { $0.context }, nil, name, worker, observer) }
        let key = "\(name ?? ""):\(port)"
        let (context, sessions) = state.withLock { state -> (TLSContext, ResumableSessions?) in
            if let known = state.sessions[key] { return (state.context, known) }
            guard state.sessions.count < Self.maxNames else { return (state.context, nil) }
            let made = ResumableSessions()
            state.sessions[key] = made
            return (state.context, made)
        }
        return makeSession(context, sessions, name, worker, observer)
    }

    private func makeSession(
        _ context: TLSContext, _ sessions: ResumableSessions?, _ name: String?, _ worker: Int,
        _ observer: (any TLSObserver)?
    ) -> TLSSession {
        TLSSession(
            connecting: context, sessions, name: name, isAddress: name.map { IPAddress($0) != nil } ?? false,
            worker: worker, observer: observer)
    }
}
