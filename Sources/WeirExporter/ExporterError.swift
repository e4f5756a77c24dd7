public import LinuxIO
public import NetworkTypes

/// Why an ``Exporter`` did not start.
public enum ExporterError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is no address literal with a port.
    case invalidAddress(String)
    /// The address cannot be listened on, for example because another program does.
    case cannotListen(SocketAddress, SystemError)
    /// The Unix socket cannot be listened on. What was at its path is still there.
    case cannotListenAt(UnixSocketPath, UnixSocketFile.Failure)
    /// The thread or what its loop needs is not to be had.
    case cannotStart(SystemError)
    /// It was started or stopped before.
    case alreadyStarted

    /// `exporter: cannot listen on 127.0.0.1:9847: bind: Address already in use (98)`.
    public var description: String {
        switch self {
        case .invalidAddress(let text): "exporter: '\(text)' is no address with a port"
        case .cannotListen(let address, let error): "exporter: cannot listen on \(address): \(error)"
        case .cannotListenAt(let path, let failure): "exporter: cannot listen on \(path): \(failure)"
        case .cannotStart(let error): "exporter: cannot start: \(error)"
        case .alreadyStarted: "exporter: it was started or stopped before"
        }
    }
}
