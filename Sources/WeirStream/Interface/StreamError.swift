import LinuxIO
import NetworkTypes

/// The reason why a stream could not be created, started or updated.
public enum StreamError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is not `scheme://address:port`.
    case invalidListenAddress(String)
    /// The text is not `host:port`.
    case invalidUpstream(String)
    /// An IPv6 address on an IPv4 network, or the other way round.
    case addressFamilyMismatch(String)
    /// A TCP stream was given a UDP address, or the other way round.
    case transportMismatch(String)
    /// The list of upstreams is empty.
    case noUpstream
    /// bind(2) or listen(2) failed; every socket of the start is closed.
    case bindFailed(ListenAddress, SystemError)
    /// The upstream is a listening address of the engine: every connection would dial itself.
    case loop(ListenAddress, upstream: String)
    /// The stream serves already, or served and was closed.
    case alreadyStarted
    /// The stream was closed or killed before it served.
    case closed
    /// A system call that every engine needs failed.
    case system(SystemError)

    /// One line for the operator.
    public var description: String {
        switch self {
        case .invalidListenAddress(let text): EndpointError.invalidListenAddress(text).description
        case .invalidUpstream(let text): EndpointError.invalidUpstream(text).description
        case .addressFamilyMismatch(let text): EndpointError.addressFamilyMismatch(text).description
        case .transportMismatch(let text): "\(text): the scheme's transport is not this stream's"
        case .noUpstream: "a stream needs at least one upstream"
        case .bindFailed(let listen, let error): "cannot listen on \(listen): \(error)"
        case .loop(let listen, let upstream): "\(listen): the upstream \(upstream) is one of our own listeners"
        case .alreadyStarted: "the stream was started before"
        case .closed: "the stream was closed before it served"
        case .system(let error): "\(error)"
        }
    }
}

extension StreamError {
    /// Wraps the error of an address.
    public init(_ error: EndpointError) {
        switch error {
        case .invalidListenAddress(let text): self = .invalidListenAddress(text)
        case .invalidUpstream(let text): self = .invalidUpstream(text)
        case .addressFamilyMismatch(let text): self = .addressFamilyMismatch(text)
        }
    }

    /// Runs `read`, and throws its address errors as stream errors.
    public static func reading<Value>(_ read: () throws(EndpointError) -> Value) throws(StreamError) -> Value {
        do throws(EndpointError) {
            return try read()
        } catch {
            throw StreamError(error)
        }
    }
}
