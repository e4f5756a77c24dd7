import Glibc
import LinuxIO

/// The way of `weir reload` and `weir health` to the running process: a Unix socket whose abstract name follows from
/// the path of the configuration. It needs no file, so that it works in a read-only container and under the hardening
/// of the unit. Processes of the same user and of root may ask (`SO_PEERCRED`).
///
/// The client sends a ``Request`` and a line end. The answer is one line with an ``Answer``, then a line for each
/// finding or address.
enum ControlSocket {
    /// The requests.
    enum Request: String {
        /// To read the configuration again.
        case reload
        /// For the addresses of the exporter, which a file that has changed since may not tell.
        case exporter
    }

    /// The bound on the bytes of a request.
    static let maxRequestBytes = 64
    /// The bound on the bytes of an answer.
    static let maxAnswerBytes = 1 << 20
    /// The bound on the lines of an answer.
    static let maxLines = 1_000

    /// The first line of an answer.
    enum Answer: String {
        /// The configuration is in force.
        case taken
        /// It cannot be used, and the old one goes on.
        case refused
        /// The exporter listens at these addresses.
        case listening
        /// The peer may not ask.
        case denied
    }

    /// The abstract name for a configuration. Processes in different PID namespaces (containers that share the network
    /// of the host) do not meet. Nil for a path that is another file in each process, such as `/dev/stdin`.
    static func name(
        ofConfiguration path: String, folder: String = currentFolder,
        namespace: UInt64 = ProcessIdentity.namespace
    ) -> String? {
        let parts = (path.hasPrefix("/") ? path : folder + "/" + path).split(separator: "/").filter { $0 != "." }
        if parts.first == "dev" || parts.first == "proc" { return nil }
        // FNV-1a: short, and the same in every process. An equal name of another path would only be refused.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in parts.joined(separator: "/").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "weir-control-\(String(hash, radix: 16))-\(namespace)"
    }

    /// Whether a process of `user` may be asked, or asks: one of the same user or of root.
    static func isTrusted(_ user: UInt32) -> Bool { user == 0 || user == geteuid() }

    private static var currentFolder: String { WatchedPath.currentFolder }
}

/// The outcome of a reload.
public struct ReloadOutcome: Sendable, Equatable {
    /// The reasons for which the configuration was refused, each a line; empty where it is in force.
    public var problems: [String] = []
    /// Warnings about a configuration that is in force, each a line.
    public var warnings: [String] = []

    /// An outcome with these findings.
    public init(problems: [String] = [], warnings: [String] = []) {
        self.problems = problems
        self.warnings = warnings
    }
}
