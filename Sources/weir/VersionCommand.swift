import CommandInterface
import WeirProxy

/// `weir version`.
enum VersionCommand {
    static let command = Command("version", "Print the version, the commit and the compiler.") { _ in
        Console.out(Version.text)
    }
}

/// The line that `weir version` and `weir --version` print.
enum Version {
    static var text: String {
        let build = BuildInformation.current
        return "weir \(build.version) (revision \(build.revision), Swift \(build.swift))"
    }
}
