import ArgumentParser
import WeirProxy

/// `weir version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version, the commit and the compiler.")

    func run() {
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
