/// Everything that is said about a program's command line. The man page and the page of the documentation are made of
/// it, and of the values that the parser reads, so that they cannot differ from the program.
public struct Manual: Sendable {
    /// A section beyond the command line.
    public struct Section: Sendable {
        /// The heading, with a capital at its beginning.
        public let title: String
        /// Terms with their meanings.
        public let entries: [(term: String, meaning: String)]

        /// Joins a heading and entries.
        public init(_ title: String, _ entries: [(term: String, meaning: String)]) {
            self.title = title
            self.entries = entries
        }
    }

    let program: Program
    let description: String
    let sections: [Section]
    let seeAlso: String

    /// Joins a program and what is said beyond its arguments.
    public init(of program: Program, description: String, sections: [Section], seeAlso: String) {
        self.program = program
        self.description = description
        self.sections = sections
        self.seeAlso = seeAlso
    }
}

extension CommandOption {
    /// The help, with the default as a sentence.
    var meaning: String { help + (defaultValue.map { " Default: \($0)." } ?? "") }
}
