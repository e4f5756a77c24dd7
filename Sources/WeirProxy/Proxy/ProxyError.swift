public import LinuxIO
public import NetworkTypes
public import WeirExporter
public import WeirMetrics
public import WeirStream

/// Why a proxy did not start, or a reload was refused. Nothing was left half-done.
public enum ProxyError: Error, Sendable, CustomStringConvertible {
    /// A route cannot be served.
    case route(String, StreamError)
    /// The routes of a shared listener claim the same clients, which no file can say.
    case names(String, String)
    /// The exporter does not start.
    case exporter(ExporterError)
    /// The admin socket cannot be listened on.
    case admin(UnixSocketPath, UnixSocketFile.Failure)
    /// The engine does not start.
    case engine(StreamError)
    /// The log's thread does not start.
    case log(SystemError)
    /// The process may have too few open descriptors to serve a client.
    case tooFewDescriptors(limit: Int, DescriptorNeed)
    /// The metrics of the process cannot be registered.
    case metrics(RegistrationError)
    /// An access rule, a list of them or the database that they need cannot be used.
    case access(String)
    /// A file of a certificate cannot be used.
    case certificate(String)
    /// The access log cannot be written.
    case accessLog(String, SystemError)
    /// There is no socket for what the service manager wants to hear.
    case serviceManager(SystemError)
    /// `NOTIFY_SOCKET` is no name that we can send to.
    case serviceManagerName(String)
    /// ``Proxy/start()`` was called before: a proxy starts once.
    case alreadyStarted
    /// There is no running configuration to go over from: ``Proxy/start()`` was not called yet.
    case notStarted
    /// The proxy is ending, or has ended.
    case ending

    /// One line that names what failed and where.
    public var description: String {
        switch self {
        case .route(let name, let error): "route `\(name)`: \(error)"
        case .names(let listener, let problem): "the listener \(listener): \(problem)"
        case .exporter(let error): "\(error)"
        case .admin(let path, let failure): "admin: cannot listen on \(path): \(failure)"
        case .engine(let error): "cannot start: \(error)"
        case .log(let error): "cannot start the log: \(error)"
        case .tooFewDescriptors(let limit, let need):
            "the limit of open descriptors is \(limit), and \(need.total) are needed at least: \(need.listeners) for "
                + "listeners, \(need.clients) for clients (two for each TCP connection), \(need.process) for the process "
                + "itself. Raise it, for example with `ulimit -n` or `LimitNOFILE=`; \(need.total + 10_000) serve 5,000 "
                + "connections"
        case .metrics(let error): "cannot register metrics: \(error)"
        case .access(let problem): "access rules: \(problem)"
        case .certificate(let problem): "TLS: \(problem)"
        case .accessLog(let path, let error): "acl.log: \(path): \(error)"
        case .serviceManager(let error): "cannot reach the service manager: \(error)"
        case .serviceManagerName(let name): "NOTIFY_SOCKET: expected an absolute path or @name, found `\(name)`"
        case .alreadyStarted: "the proxy was started before"
        case .notStarted: "the proxy is not started yet"
        case .ending: "the process is ending"
        }
    }
}
