import CTLS
public import NetworkTypes

extension TLSFailure {
    init(code: CInt) {
        let cases = Self.allCases
        self = cases.indices.contains(Int(code)) ? cases[Int(code)] : .other
    }
}

extension TLSVersion {
    var code: CInt {
        switch self {
        case .tls12: CInt(WEIR_TLS_1_2)
        case .tls13: CInt(WEIR_TLS_1_3)
        }
    }

    init(code: CInt) {
        self = code == TLSVersion.tls13.code ? .tls13 : .tls12
    }
}

/// Receives the events of TLS sessions. Called on the worker of the session; must not block.
public protocol TLSObserver: AnyObject, Sendable {
    /// A handshake has succeeded.
    func handshakeSucceeded(_ session: TLSSession, side: TLSSide, nanoseconds: UInt64, worker: Int)
    /// A handshake has failed.
    func handshakeFailed(side: TLSSide, reason: TLSFailure, worker: Int)
    /// The peer has ended its stream with a FIN alone: whether bytes are missing is not known.
    func truncated(side: TLSSide, worker: Int)
}
