import Glibc
import LinuxIO
import NetworkTypes

/// The result of one check. A closed enumeration: each raw value is a metric label and the word in the log.
public enum CheckResult: String, CaseIterable, Sendable {
    /// The member answered as expected.
    case success
    /// No process listens at the address (ECONNREFUSED; over UDP ICMP port unreachable), or nothing is at the path of a
    /// Unix socket (ENOENT).
    case refused
    /// No answer, or only a part of one, within the timeout.
    case timeout
    /// The network has no route to the address, or a firewall in between says no.
    case unreachable
    /// The member reset the connection before it had answered.
    case reset
    /// The upstream's name has no address. The owner tells it, because names are resolved there; this module never
    /// does.
    case dns
    /// The handshake failed: the member does not speak TLS, or its certificate could not be verified, or there is no
    /// tunnel to it.
    case tls
    /// The answer does not pass: another status, an error, bytes that make no sense, or an end before the answer.
    case unexpected

    /// Whether the member passed.
    public var isSuccess: Bool { self == .success }

    /// Whether checks of this kind can have the result; `ofName` where the upstream is a name, `isCarried` where a peer
    /// in between connects it. An observer that counts creates its counters from it before the first check.
    public func isPossible(for check: HealthCheck, ofName: Bool, isCarried: Bool = false) -> Bool {
        switch self {
        case .success, .refused, .unreachable: true
        case .timeout: !check.awaitsSilence
        case .reset: check.transport == .tcp
        case .dns: ofName || isCarried
        case .tls: check.isEncrypted || isCarried
        case .unexpected:
            isCarried || check.kind != .tcp && check.kind != .tls && !check.awaitsSilence
        }
    }

    /// The result that an error of a socket means; nil where it says nothing about the member: this machine has no
    /// descriptor, port or address left, or forbids the call.
    /// - Parameter isLocal: whether a call failed at once. EACCES and EPERM are this machine's then; later they come
    ///   from the network (ICMPv6 "administratively prohibited", RFC 4443 section 3.1).
    init?(_ error: SystemError, isLocal: Bool) {
        switch error.code {
        case ECONNREFUSED, ENOENT: self = .refused
        case ETIMEDOUT: self = .timeout
        case ECONNRESET, ECONNABORTED, EPIPE: self = .reset
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, ENONET, ENOPROTOOPT, EPROTO: self = .unreachable
        case EACCES, EPERM:
            if isLocal { return nil }
            self = .unreachable
        default: return nil
        }
    }
}

extension HealthCheck {
    /// Whether the end of the timeout passes.
    var awaitsSilence: Bool {
        if case .exchange(let check) = kind { check.expect == .silence } else { false }
    }
}
