import CommandInterface
import WeirProxy

/// `weir schema`.
enum SchemaCommand {
    static let command = Command(
        "schema", "Print the JSON schema of the configuration, for editors.",
        discussion: "JSON Schema, draft 2020-12. It is made from the table that reads the configuration."
    ) { _ in
        Console.out(String(ConfigurationFile.schema.dropLast()))
    }
}
