import ArgumentParser

/// `weir manual`: for `scripts/install` and packagers, so not among what `weir --help` lists.
struct ManualCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manual", abstract: "Print the man page weir(1).", shouldDisplay: false)

    func run() throws {
        Console.out(try ManualPage(of: Weir._dumpHelp()).text)
    }
}
