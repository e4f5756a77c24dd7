import NetworkTypes
import Threading
import WeirStream

/// The state of one connection to the agent that its session, on the worker, and the hooks share: what the client asks
/// for, and why it does not get it.
final class TunnelTicket: Sendable {
    /// The purpose of a connection.
    enum Purpose: Sendable {
        /// The handshake or the request is not over.
        case unknown
        /// The pages of the agent.
        case pages(AgentRole)
        /// A tunnel.
        case tunnel(TunnelRequest)
    }

    private struct State {
        var purpose = Purpose.unknown
        var refusal: TunnelStatus?
        var name = ""
        var names: [String] = []
    }

    private let state = Lock(State())

    var purpose: Purpose {
        get { state.withLock { $0.purpose } }
        set { state.withLock { $0.purpose = newValue } }
    }

    /// The reason why a hook has refused the destination.
    var refusal: TunnelStatus? {
        get { state.withLock { $0.refusal } }
        set { state.withLock { $0.refusal = newValue } }
    }

    /// The name in the client's certificate.
    var name: String {
        get { state.withLock { $0.name } }
        set { state.withLock { $0.name = newValue } }
    }

    /// The DNS names in the client's certificate, by which access rules judge.
    var names: [String] {
        get { state.withLock { $0.names } }
        set { state.withLock { $0.names = newValue } }
    }
}
