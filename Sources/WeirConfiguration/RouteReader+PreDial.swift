extension RouteReader {
    /// The longest command line: programs get at most a few kilobytes for sure.
    private static let mostArguments = 64
    private static let longestArgument = 4096

    /// `pre_dial`, or `off`; the outer nil is an error.
    func readPreDial(_ fields: SectionEntries) -> PreDialProgram?? {
        guard let value = fields["pre_dial"] else { return .some(nil) }
        if value.isOff { return .some(nil) }
        guard case .mapping = value.content else {
            if case .refused = value.content { return nil }
            findings.error(
                value.place,
                "`pre_dial`: expected `off` or a mapping such as `{exec: [/usr/local/bin/may-pass]}`, found "
                    + value.found)
            return nil
        }
        guard let entries = findings.section(value, .preDial, named: "`pre_dial`") else { return nil }
        guard let written = entries["exec"] else {
            findings.error(
                value.place, "`pre_dial`: expected `exec` with a program and its arguments, found none")
            return nil
        }
        var program = PreDialProgram(command: [])
        var isGood = true
        if let command = readCommand(written) { program.command = command } else { isGood = false }
        if let value = entries["concurrency"] {
            if let count = findings.count(value, "concurrency", in: 1...256) {
                program.concurrency = count
            } else {
                isGood = false
            }
        }
        return isGood ? .some(program) : nil
    }

    private func readCommand(_ value: YAMLValue) -> [String]? {
        guard case .sequence(let items) = value.content, (1...Self.mostArguments).contains(items.count) else {
            if case .refused = value.content { return nil }
            findings.error(
                value.place,
                "`exec`: expected a list of a program and its arguments, such as `[/usr/local/bin/may-pass, -v]`, "
                    + "found \(value.found)")
            return nil
        }
        var command: [String] = []
        for item in items {
            guard let text = findings.text(item, "exec", expected: "the program or an argument") else { return nil }
            guard text.utf8.count <= Self.longestArgument, !(command.isEmpty && text.isEmpty) else {
                findings.error(
                    item.place,
                    "`exec`: expected "
                        + (text.isEmpty
                            ? "the path of a program, found empty text"
                            : "at most \(Self.longestArgument) bytes, found \(text.utf8.count)"))
                return nil
            }
            command.append(text)
        }
        return command
    }
}
