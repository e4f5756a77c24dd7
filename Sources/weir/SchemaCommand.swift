import ArgumentParser
import WeirProxy

/// `weir schema`.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON schema of the configuration, for editors.",
        discussion: "JSON Schema, draft 2020-12. It is made from the table that reads the configuration.")

    func run() {
        Console.out(String(ConfigurationFile.schema.dropLast()))
    }
}
