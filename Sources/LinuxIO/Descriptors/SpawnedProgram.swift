import CLinux
import Glibc

/// A program that runs as a child of this process, in a process group of its own. It inherits only the environment that
/// it is given: no descriptors, no signal mask; its standard streams are `/dev/null`.
///
/// It must be reaped before its value ends (a trap otherwise): only until then the kernel does not reuse its number.
public struct SpawnedProgram: ~Copyable {
    /// How a program ended.
    public enum Ending: Hashable, Sendable {
        /// By itself, with this code.
        case exited(Int)
        /// By this signal.
        case killed(signal: Int)
    }

    private let processID: CInt
    private let descriptor: FileDescriptor
    private var isReaped = false

    /// Starts a program; a name without a slash is searched for in this process's `PATH`. `environment` holds
    /// `NAME=value`. Blocks until it runs (posix_spawn(3)): never on a worker.
    public init(_ command: [String], environment: [String]) throws(SystemError) {
        var arguments = unsafe Self.copies(command)
        var variables = unsafe Self.copies(environment)
        defer {
            unsafe arguments.forEach { unsafe free($0) }
            unsafe variables.forEach { unsafe free($0) }
        }
        var number: CInt = -1
        let result = unsafe weir_spawn(&arguments, &variables, &number)
        if result < 0 { throw SystemError(.spawn, -result) }
        processID = result
        descriptor = FileDescriptor(adopting: number)
    }

    deinit {
        precondition(isReaped, "a program was let go before it was reaped")
    }

    /// C strings with the null pointer that ends such a list.
    private static func copies(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        unsafe texts.map { unsafe strdup($0) } + [nil]
    }

    /// Readable once the program has ended (pidfd_open(2)).
    public var number: CInt { descriptor.rawValue }

    /// Kills it and every process in its group (`SIGKILL`).
    public func kill() {
        if !isReaped { _ = weir_kill_group(processID) }
    }

    /// Reaps it and returns how it ended; nil while it runs.
    public mutating func reap() -> Ending? {
        var status: CInt = 0
        let result = unsafe weir_reap(processID, &status)
        guard result != 0 else { return nil }
        isReaped = true
        // ECHILD: other code has reaped it, and its status is lost. Report a failure.
        if result < 0 { return .exited(255) }
        return status < 0 ? .killed(signal: Int(-status)) : .exited(Int(status))
    }
}
