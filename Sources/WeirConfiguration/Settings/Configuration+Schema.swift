import NetworkTypes

extension Configuration {
    /// The JSON Schema (draft 2020-12) of a whole file, made from the table of settings; editors complete and check
    /// with it. It knows every key and the form of every value, not what has to hold between them.
    public static var schema: String {
        JSONValue.members([
            ("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
            ("title", .string("Configuration of Weir")), ("type", .string("object")),
            ("additionalProperties", .bool(false)),
            // For YAML anchors.
            ("patternProperties", .members([("^x-", .bool(true))])),
            ("properties", .members(section.settings.filter { !$0.isLater }.map { ($0.key, $0.fileSchema) })),
            ("anyOf", .array(["routes", "docker", "agent"].map { .members([("required", .array([.string($0)]))]) })),
            ("allOf", .array(RouteConfiguration.section.settings.compactMap(\.requirementSchema))),
            ("$defs", .members(JSONValue.definitions + RouteConfiguration.definitions)),
        ]).document
    }
}

extension RouteConfiguration {
    /// A route by itself, and what may stand in `defaults`.
    fileprivate static var definitions: [(String, JSONValue)] {
        [
            ("defaults", section.schema),
            ("route", section.schema.adding([("allOf", .array(Transport.allCases.map { foreignKeys(of: $0) }))])),
        ]
    }

    /// The keys that routes of a transport do not have, where they say their scheme.
    private static func foreignKeys(of transport: Transport) -> JSONValue {
        let foreign = settings.filter { $0.variant(for: transport) == nil }.map { ($0.key, JSONValue.bool(false)) }
        let scheme = JSONValue.members([
            ("type", .string("string")), ("pattern", .string("^\(transport.rawValue)[46]?$")),
        ])
        return .members([
            (
                "if",
                .members([
                    ("type", .string("object")), ("properties", .members([("scheme", scheme)])),
                    ("required", .array([.string("scheme")])),
                ])
            ),
            ("then", .members([("properties", .members(foreign))])),
        ])
    }
}

extension Setting<Configuration> {
    /// The schema of a key of the file itself.
    fileprivate var fileSchema: JSONValue {
        guard case .structure = content else { return schema }
        let description = ("description", JSONValue.string(meaning))
        if key == "defaults" { return .members([description, ("$ref", .string("#/$defs/defaults"))]) }
        return .members([
            description, ("type", .string("object")), ("minProperties", .integer(1)),
            ("propertyNames", .members([("pattern", .string("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"))])),
            ("additionalProperties", .reference("route")),
        ])
    }
}

extension Setting<RouteConfiguration> {
    /// A key that every route must have, unless `defaults` have it.
    fileprivate var requirementSchema: JSONValue? {
        guard requirement != nil else { return nil }
        let required = JSONValue.members([("required", .array([.string(key)]))])
        let inDefaults = JSONValue.members([
            ("properties", .members([("defaults", required)])), ("required", .array([.string("defaults")])),
        ])
        return .members([
            ("if", .members([("not", inDefaults)])),
            (
                "then",
                .members([
                    ("properties", .members([("routes", .members([("additionalProperties", required)]))]))
                ])
            ),
        ])
    }
}
