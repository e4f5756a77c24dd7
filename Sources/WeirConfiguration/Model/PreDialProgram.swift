/// `pre_dial:`, a program that decides over each client before the upstream is dialed.
public struct PreDialProgram: Sendable, Hashable {
    /// The program, by its path or to be found in `PATH`, and its arguments.
    public var command: [String]
    /// How many may run at once.
    public var concurrency: Int

    /// Makes the section.
    public init(command: [String], concurrency: Int = 16) {
        self.command = command
        self.concurrency = concurrency
    }
}
