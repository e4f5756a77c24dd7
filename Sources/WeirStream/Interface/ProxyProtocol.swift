import LinuxIO
import NetworkTypes

/// Which peers of a stream must begin with a PROXY header. Trust alone decides whether there is one: bytes never do, because
/// then every client could say that it is somebody else.
public enum ProxyProtocolMode: String, CaseIterable, Sendable {
    /// Nobody's bytes are read as a header.
    case disabled
    /// Trusted peers must send one; the others pass as they are.
    case mixed
    /// Trusted peers must send one; the others are refused.
    case required
}

/// Which datagrams of a session have a PROXY header in front.
public enum DatagramHeaders: String, CaseIterable, Sendable {
    /// The first one, after which a peer's address and port stand for its client.
    case first
    /// Every one: a peer may bring many clients from one port.
    case each
}

/// What a new peer owes before it is served.
enum HeaderDuty {
    case none
    case header
    /// It may not send one, and without one it is not served.
    case refused
}

extension StreamHooks {
    /// What a peer owes. Without a hook nobody is trusted.
    func headerDuty(of peer: IPAddress, _ mode: ProxyProtocolMode) -> HeaderDuty {
        if mode == .disabled { return .none }
        if isTrustedProxy?(peer) == true { return .header }
        return mode == .required ? .refused : .none
    }
}
