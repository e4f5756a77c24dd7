import Glibc
import LinuxIO

extension ConnectionCloseReason {
    /// The close reason for the errno of a failed read or write.
    init(_ error: SystemError, party: Relay.Party) {
        switch error.code {
        case ECONNRESET, EPIPE: self = party == .client ? .clientReset : .upstreamReset
        case ETIMEDOUT: self = party == .client ? .clientTimeout : .upstreamTimeout
        default: self = .error
        }
    }
}
