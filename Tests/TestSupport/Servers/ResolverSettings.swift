import Foundation

/// Files of the C library's resolver (resolv.conf(5), nsswitch.conf(5)) that lead it to one name server. It needs root.
package final class ResolverSettings: Sendable {
    private let directory: TemporaryDirectory

    /// A resolver waits `timeout` seconds for an answer, and asks once. `lines` are further ones of resolv.conf(5).
    package init(nameServer address: String, timeout: Int = 1, lines: [String] = []) throws {
        directory = try TemporaryDirectory("names")
        let text = ["nameserver \(address)", "options timeout:\(timeout) attempts:1"] + lines
        try directory.write("resolv.conf", text.map { $0 + "\n" }.joined())
        try directory.write("nsswitch.conf", "hosts: dns\n")
    }

    /// A prefix for the command of a program that shall use these files. It sets up a mount namespace
    /// (mount_namespaces(7)) with them in the place of the machine's own, and then executes the program in its place.
    package var launcher: [String] {
        let script = """
            mount --bind '\(directory.file("resolv.conf"))' /etc/resolv.conf &&
            { [ ! -e /etc/nsswitch.conf ] || mount --bind '\(directory.file("nsswitch.conf"))' /etc/nsswitch.conf; } &&
            exec "$@"
            """
        return ["unshare", "--mount", "sh", "-c", script, "sh"]
    }

    /// Runs `body` on a thread of its own that has these files, and waits for it.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
        // Only the thread that unshares sees the files, and it ends.
        let done = TestSemaphore()
        let outcome = Shared<Swift.Result<Result, any Error>?>(nil)
        Thread { [self] in
            let result = Swift.Result {
                try enter()
                return try body()
            }
            outcome.withLock { $0 = result }
            done.signal()
        }.start()
        done.wait()
        // The thread has signaled, so there is a result.
        return try outcome.withLock { $0! }.get()
    }

    private typealias Unshare = @convention(c) (Int32) -> Int32
    private static let newMounts: Int32 = 0x2_0000
    private static let bind: UInt = 0x1000
    private static let recursive: UInt = 0x4000
    private static let isPrivate: UInt = 0x4_0000

    /// Gives the calling thread mounts of its own (mount_namespaces(7)), with these files in place of the machine's.
    private func enter() throws {
        // Swift's import of glibc hides it.
        guard let symbol = dlsym(nil, "unshare") else { throw SystemFailure("unshare", code: ENOSYS) }
        try checked("unshare(CLONE_NEWNS)") { unsafeBitCast(symbol, to: Unshare.self)(Self.newMounts) }
        try checked("mount /") { mount("none", "/", nil, Self.recursive | Self.isPrivate, nil) }
        for name in ["resolv.conf", "nsswitch.conf"] where access("/etc/\(name)", F_OK) == 0 {
            try checked("mount /etc/\(name)") { mount(directory.file(name), "/etc/\(name)", nil, Self.bind, nil) }
        }
    }
}
