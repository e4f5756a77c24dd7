// The schemas of single values (JSON Schema, draft 2020-12). A text may have a variable in it, whose value no editor
// knows, so each schema that takes text takes `${NAME}`, too.
extension JSONValue {
    /// A `$ref` to what stands under `$defs`.
    static func reference(_ name: String) -> JSONValue { .members([("$ref", .string("#/$defs/\(name)"))]) }

    static func anyOf(_ schemas: [JSONValue]) -> JSONValue { .members([("anyOf", .array(schemas))]) }

    /// The schemas that several values refer to.
    static let definitions: [(String, JSONValue)] = [
        (
            "variable",
            .members([
                ("description", .string("From the environment: ${NAME} or ${NAME:-default}.")),
                ("type", .string("string")), ("pattern", .string("\\$\\{")),
            ])
        ),
        (
            "duration",
            .members([
                ("description", .string("Such as 300ms, 5s or 1m30s.")),
                ("anyOf", .array([.text("(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+|0"), .constant(0)])),
            ])
        ),
        ("off", .members([("enum", .array([.string("off"), .string("Off"), .string("OFF")]))])),
        (
            "flag",
            .anyOf([
                .members([("type", .string("boolean"))]),
                .members([("enum", .array(["true", "false"].map { .string($0) }))]),
                .reference("variable"),
            ])
        ),
    ]

    static var duration: JSONValue { .reference("duration") }
    static var off: JSONValue { .reference("off") }
    static var flag: JSONValue { .reference("flag") }

    static func constant(_ number: Int) -> JSONValue { .members([("const", .integer(number))]) }

    /// Text that matches a pattern from end to end.
    static func text(_ pattern: String) -> JSONValue {
        .members([("type", .string("string")), ("pattern", .string("^(\(pattern))$|\\$\\{"))])
    }

    /// Any text but none.
    static var anyText: JSONValue { .members([("type", .string("string")), ("minLength", .integer(1))]) }

    static func words(_ words: [String]) -> JSONValue {
        .anyOf([.members([("enum", .array(words.map { .string($0) }))]), .reference("variable")])
    }

    /// A whole number, in quotes or not.
    static func number(in bounds: ClosedRange<Int>) -> JSONValue {
        .anyOf([.integer(in: bounds), .text("-?[0-9]+")])
    }

    /// A whole number of YAML.
    static func integer(in bounds: ClosedRange<Int>) -> JSONValue {
        .members([
            ("type", .string("integer")), ("minimum", .integer(bounds.lowerBound)),
            ("maximum", .integer(bounds.upperBound)),
        ])
    }

    static func list(of items: JSONValue, _ bounds: ClosedRange<Int>? = nil) -> JSONValue {
        var members: [(String, JSONValue)] = [("type", .string("array")), ("items", items)]
        if let bounds {
            members += [("minItems", .integer(bounds.lowerBound)), ("maxItems", .integer(bounds.upperBound))]
        }
        return .members(members)
    }

    /// The value, or null: a key behind which nothing is left.
    var orNull: JSONValue { .anyOf([self, .members([("type", .string("null"))])]) }
}

extension JSONValue {
    /// Text, or what YAML takes for a number or a boolean.
    static var scalar: JSONValue {
        .members([("type", .array(["string", "number", "boolean"].map { .string($0) }))])
    }

    /// `10/s`.
    static var rateText: JSONValue {
        .anyOf([.number(in: 1...1_000_000), .text("[0-9]+/(s|sec|second|m|min|minute|h|hour)")])
    }

    /// `10MB/s`.
    static var byteRateText: JSONValue {
        .anyOf([
            .number(in: 1_000...100_000_000_000), .text("[0-9]+(\\.[0-9]{1,3})?(B|kB|KB|KiB|MB|MiB|GB|GiB)?(/s)?"),
        ])
    }
}
