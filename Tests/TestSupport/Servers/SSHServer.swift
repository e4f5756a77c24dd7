import Foundation

/// An sshd with keys of its own that admits exactly one user: the one who runs the tests, or, for root, the account
/// without privileges, since a privileged sshd would need a system user and a system folder of its own.
package final class SSHServer {
    package let port: UInt16
    package let userName: String
    /// A folder that the logged-in user may read and write.
    package let files: TemporaryDirectory
    private let keys: TemporaryDirectory
    private let process: ChildProcess

    package init() throws {
        port = try Ports.free()
        // 65534 is the account without privileges, on every Linux.
        let user = geteuid() == 0 ? 65_534 : geteuid()
        userName = String(cString: getpwuid(user).pointee.pw_name)
        files = try TemporaryDirectory("ssh-files")
        keys = try TemporaryDirectory("ssh")
        for key in ["host_key", "user_key"] {
            let made = try ChildProcess.run(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keys.file(key)])
            guard made.succeeded else { throw DeadlineExceeded(description: "ssh-keygen: \(made)") }
        }
        // Without PAM sshd takes an account whose shell is nologin for a locked one.
        try keys.write("authorized_keys", contents(of: keys.file("user_key.pub")))
        let configuration = try keys.write(
            "sshd_config",
            """
            ListenAddress 127.0.0.1
            Port \(port)
            HostKey \(keys.file("host_key"))
            PidFile none
            UsePAM \(geteuid() == 0 ? "yes" : "no")
            StrictModes no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            AuthorizedKeysFile \(keys.file("authorized_keys"))
            Subsystem sftp internal-sftp
            ForceCommand internal-sftp

            """)
        for path in [keys.path, keys.file("host_key"), keys.file("authorized_keys"), configuration, files.path] {
            guard chown(path, user, user) == 0 else { throw SystemFailure("chown \(path)") }
        }
        process = try ChildProcess("sshd", ["-D", "-e", "-f", configuration], user: user)
        try process.waitUntilListening(on: port)
    }

    /// Options under which ssh, scp and sftp ask nothing and remember nothing.
    package var clientOptions: [String] {
        [
            "-F", "/dev/null", "-i", keys.file("user_key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "Compression=no",
        ]
    }
}
