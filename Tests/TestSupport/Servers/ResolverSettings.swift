/// Files of the C library's resolver (resolv.conf(5), nsswitch.conf(5)) that lead it to one name server. It needs root.
package final class ResolverSettings: Sendable {
    private let directory: TemporaryDirectory

    /// A resolver waits `timeout` seconds for an answer, and asks once.
    package init(nameServer address: String, timeout: Int = 1) throws {
        directory = try TemporaryDirectory("names")
        try directory.write("resolv.conf", "nameserver \(address)\noptions timeout:\(timeout) attempts:1\n")
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
}
