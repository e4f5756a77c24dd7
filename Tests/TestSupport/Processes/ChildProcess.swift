import Foundation

/// One process that a test started. It is killed, by its id, when its object ends.
///
/// Standard output and standard error go to files, so that the child makes progress without a reader.
package final class ChildProcess {
    package enum Exit: Equatable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    package let processID: pid_t
    package let name: String
    private let directory: TemporaryDirectory
    private var exit: Exit?

    /// Starts the program. `user` runs it as another user, if the tests run as root.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = "/dev/null",
        user: uid_t? = nil
    ) throws {
        let path = program.contains("/") ? program : try Tool.path(program)
        guard access(path, X_OK) == 0 else { throw MissingTool(name: path) }
        name = URL(fileURLWithPath: path).lastPathComponent
        directory = try TemporaryDirectory("process-\(name)")
        // setpriv replaces itself with the program; the child dies with its parent even where the parent crashes.
        var command = ["/usr/bin/setpriv", "--pdeathsig", "KILL"]
        if let user, geteuid() == 0 {
            command += ["--reuid", "\(user)", "--regid", "\(user)", "--clear-groups"]
        }
        command += ["--", path] + arguments
        var variables = ProcessInfo.processInfo.environment
        // Only our own configuration reaches the program under test.
        variables["WEIR_CONFIG"] = nil
        variables.merge(environment) { _, given in given }
        processID = try Spawner.spawn(
            command, environment: variables, input: input, output: directory.file("stdout"),
            error: directory.file("stderr"))
    }

    deinit {
        if exit == nil {
            kill(processID, SIGKILL)
            var status: Int32 = 0
            waitpid(processID, &status, 0)
        }
    }

    package var output: String { contents(of: directory.file("stdout")) }
    package var errorOutput: String { contents(of: directory.file("stderr")) }
    package var outputLines: [String] {
        output.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }

    /// How the process ended; nil while it runs.
    package func exitIfEnded() -> Exit? {
        if let exit { return exit }
        var status: Int32 = 0
        guard waitpid(processID, &status, WNOHANG) == processID else { return nil }
        let signal = status & 0x7f
        exit = signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
        return exit
    }

    package var isRunning: Bool { exitIfEnded() == nil }

    package func send(signal: Int32) {
        // Never to a reaped process: its id may be reused by now.
        if isRunning { kill(processID, signal) }
    }

    package func waitForExit(deadline: Duration = .seconds(20)) throws -> Exit {
        try waitFor("\(name) ends", deadline: deadline) { exitIfEnded() }
    }

    /// Runs a program to its end.
    package static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = "/dev/null",
        deadline: Duration = .seconds(60)
    ) throws -> Completed {
        let process = try ChildProcess(program, arguments, environment: environment, input: input)
        let exit = try process.waitForExit(deadline: deadline)
        return Completed(exit: exit, output: process.output, errorOutput: process.errorOutput)
    }

    /// The result of a finished program.
    package struct Completed: Sendable, CustomStringConvertible {
        package let exit: Exit
        package let output: String
        package let errorOutput: String
        package var succeeded: Bool { exit == .code(0) }
        package var description: String { "\(exit)\nstdout: \(output)\nstderr: \(errorOutput)" }
    }
}

/// The state of a process, read from /proc (proc(5)).
extension ChildProcess {
    package var descriptorCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd").count) ?? 0
    }

    package var residentBytes: Int {
        let pages = contents(of: "/proc/\(processID)/statm").split(separator: " ").dropFirst().first
        return (pages.flatMap { Int($0) } ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Whether any of the process's sockets listens on (TCP) or is bound to (UDP) the port.
    package func holds(port: UInt16, protocol name: String) -> Bool {
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd")) ?? []
        let inodes = Set(
            descriptors.compactMap { descriptor -> String? in
                guard
                    let target = try? FileManager.default.destinationOfSymbolicLink(
                        atPath: "/proc/\(processID)/fd/\(descriptor)"),
                    target.hasPrefix("socket:[")
                else { return nil }
                return String(target.dropFirst("socket:[".count).dropLast())
            })
        let rows = SocketTable.Transport(rawValue: name).map { SocketTable($0).listening(on: port) } ?? []
        return rows.contains { inodes.contains(String($0.inode)) }
    }
}
