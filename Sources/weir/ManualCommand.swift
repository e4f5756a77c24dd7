import CommandInterface

/// `weir manual`: for `scripts/install` and packagers, so not among the commands that `weir --help` lists.
enum ManualCommand {
    private static let markdown = CommandOption("markdown", "Print the sections of docs/command-line.md instead.")

    static let command: Command = Command(
        "manual", "Print the man page weir(1).", isListed: false, options: [markdown]
    ) { arguments in
        let manual = Manual(
            of: Weir.program, description: description, sections: sections,
            seeAlso: "systemd.service(5), sd_notify(3), prometheus(1)")
        Console.out(arguments.has(markdown.name) ? String(manual.markdown.dropLast()) : manual.manPage)
    }

    private static let description = """
        Weir relays TCP connections and UDP datagrams from the addresses of its routes to their upstreams, and serves \
        what it measures to Prometheus. Without a command it does what run does.
        """

    /// Sections about more than the arguments.
    private static let sections: [Manual.Section] = [
        Manual.Section(
            "Signals",
            [
                ("SIGHUP", "Read the configuration again and open log files again."),
                ("SIGTERM, SIGINT", "Refuse what is new, let the old finish, end. A second one ends at once."),
            ]
        ),
        Manual.Section(
            "Exit status",
            [
                ("0", "What was asked for is done; for health: the process is well."),
                ("1", "An error, which is printed; for health: the process is not well, or does not answer."),
                ("64", "The command line is wrong."),
            ]
        ),
        Manual.Section(
            "Environment",
            [
                ("WEIR_CONFIG", "The configuration file, where --config does not name one."),
                ("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by a service manager that wants to be told; see sd_notify(3)."),
                ("NAME", "Any other variable: replaces ${NAME} in the configuration."),
            ]
        ),
        Manual.Section("Files", [("/etc/weir/weir.yml", "The configuration, unless another is named.")]),
    ]
}
