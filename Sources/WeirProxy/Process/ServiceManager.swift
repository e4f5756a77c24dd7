public import LinuxIO
import NetworkTypes

/// The service manager's view of the process's life, and the interval of its watchdog: the protocol of sd_notify(3),
/// over the socket that `NOTIFY_SOCKET` names. Any thread.
public final class ServiceManager: Sendable {
    /// A notification of the service manager.
    public enum Notification: Sendable, Equatable {
        /// All routes are served; also after a reload, taken or not. The text is for people, one line.
        case ready(String)
        /// The configuration is read again; ``ready(_:)`` follows.
        case reloading
        /// Old connections finish. The manager should wait this long before it kills.
        case stopping(within: Duration)
        /// The watchdog may rest.
        case alive
    }

    /// How often the watchdog must hear ``Notification/alive``: half of what it allows, as sd_watchdog_enabled(3)
    /// advises. Nil where none waits.
    public let watchdogInterval: Duration?
    /// A shorter interval would keep a processor busy with the pings alone.
    private static let minInterval: Duration = .milliseconds(10)
    private let sender: UnixDatagramSender

    /// The manager that started this process. Nil where none did.
    /// - Throws: where it cannot be told anything: its socket has a name that is none, or we get no socket.
    public init?(environment: [String: String], processID: Int32) throws(ProxyError) {
        guard let name = environment["NOTIFY_SOCKET"], !name.isEmpty else { return nil }
        guard name.hasPrefix("/") || name.hasPrefix("@"), let receiver = UnixSocketPath(name) else {
            throw .serviceManagerName(name)
        }
        watchdogInterval = Self.watchdogInterval(environment, processID: processID)
        do throws(SystemError) {
            sender = try UnixDatagramSender(to: receiver)
        } catch {
            throw .serviceManager(error)
        }
    }

    static func watchdogInterval(_ environment: [String: String], processID: Int32) -> Duration? {
        if let owner = environment["WATCHDOG_PID"], owner != "\(processID)" { return nil }
        guard let allowed = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), allowed > 1 else { return nil }
        return max(.microseconds(allowed / 2), minInterval)
    }

    /// Tells it.
    /// - Throws: where it cannot be reached.
    public func notify(_ notification: Notification) throws(SystemError) {
        try sender.send(Self.text(of: notification, now: MonotonicClock.system.nanoseconds))
    }

    static func text(of notification: Notification, now nanoseconds: UInt64) -> String {
        switch notification {
        case .ready(let status): "READY=1\nSTATUS=\(oneLine(status))"
        case .reloading:
            "RELOADING=1\nMONOTONIC_USEC=\(nanoseconds / 1000)\nSTATUS=reading the configuration again"
        case .stopping(let time):
            "STOPPING=1\nEXTEND_TIMEOUT_USEC=\(time.clampedNanoseconds / 1000)\nSTATUS=draining"
        case .alive: "WATCHDOG=1"
        }
    }

    /// A line end would begin another assignment.
    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}
