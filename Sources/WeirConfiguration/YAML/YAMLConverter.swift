/// Turns a YAML tree into ``ConfigurationNode``: distinct keys, merge keys resolved, variables expanded, all of it
/// bounded.
struct YAMLConverter {
    let environment: [String: String]
    let diagnostics: FileDiagnostics
    private let expandsVariables: Bool
    private let expansionLimit: Int

    /// Locations seen so far: one that comes again was reached through an alias.
    private var seen: Set<SourceLocation> = []
    private var expanded = 0
    /// Whether a bound was passed; the result is then incomplete.
    private(set) var isExhausted = false

    init(environment: [String: String], diagnostics: FileDiagnostics, expandsVariables: Bool, expansionLimit: Int) {
        self.environment = environment
        self.diagnostics = diagnostics
        self.expandsVariables = expandsVariables
        self.expansionLimit = expansionLimit
    }

    /// Converts the root. Top-level keys that start with `x-` are only checked for duplicates: they hold anchors, and
    /// their variables count where an alias uses them.
    mutating func convertRoot(_ node: YAMLNode) -> ConfigurationNode {
        convert(node, depth: 0, expands: expandsVariables)
    }

    private func origin(_ location: SourceLocation) -> Origin { .file(diagnostics.file, location) }

    private mutating func convert(_ node: YAMLNode, depth: Int, expands: Bool) -> ConfigurationNode {
        let location = node.location
        guard isWithinBounds(location, depth: depth) else {
            return ConfigurationNode(origin: origin(location), content: .refused)
        }
        let content: ConfigurationNode.Content
        switch node.content {
        case .scalar(let text, let isPlain):
            content = convert(text, isPlain: isPlain, at: location, expands: expands)
        case .sequence(let children):
            var values: [ConfigurationNode] = []
            for child in children {
                if isExhausted { break }
                values.append(convert(child, depth: depth + 1, expands: expands))
            }
            content = .sequence(values)
        case .mapping(let written):
            content = .mapping(convert(written, depth: depth, expands: expands))
        }
        return ConfigurationNode(origin: origin(location), content: content)
    }

    private mutating func isWithinBounds(_ location: SourceLocation, depth: Int) -> Bool {
        if isExhausted { return false }
        if depth > YAMLReader.maxNesting {
            let error = YAMLError.tooDeep(at: location)
            diagnostics.error(error.location, error.message)
            isExhausted = true
        } else if !seen.insert(location).inserted {
            expanded += 1
            if expanded > expansionLimit {
                diagnostics.error(location, "aliases expand to more than \(expansionLimit) values")
                isExhausted = true
            }
        }
        return !isExhausted
    }

    private func convert(
        _ written: String, isPlain: Bool, at location: SourceLocation, expands: Bool
    ) -> ConfigurationNode.Content {
        if isPlain && ["", "~", "null", "Null", "NULL"].contains(written) { return .null }
        guard expands else { return .scalar(text: written, written: written) }
        do {
            return .scalar(text: try expandEnvironment(written, environment: environment), written: written)
        } catch {
            diagnostics.error(location, error.message, suggestion: error.suggestion)
            return .refused
        }
    }

    private mutating func convert(
        _ written: [YAMLNode.Entry], depth: Int, expands: Bool
    ) -> [ConfigurationNode.Entry] {
        var entries: [ConfigurationNode.Entry] = []
        var locations: [String: SourceLocation] = [:]
        var merges: [(location: SourceLocation, value: ConfigurationNode)] = []
        for entry in written {
            if isExhausted { break }
            let keyLocation = entry.keyLocation
            guard case .scalar(let key, let isPlain) = entry.key.content else {
                diagnostics.error(keyLocation, "expected a name as key, found a mapping or a list")
                continue
            }
            let isExtension = depth == 0 && key.hasPrefix("x-")
            if let first = locations.updateValue(locations[key] ?? keyLocation, forKey: key) {
                diagnostics.error(keyLocation, "duplicate key \(quoted(key)), first found at \(first)")
                continue
            }
            let value = convert(entry.value, depth: depth + 1, expands: expands && !isExtension)
            if key == "<<" && isPlain {
                merges.append((keyLocation, value))
            } else if !isExtension {
                entries.append(ConfigurationNode.Entry(key: key, keyOrigin: origin(keyLocation), value: value))
            }
        }
        for merge in merges { add(merge.value, at: merge.location, to: &entries, locations: &locations) }
        return entries
    }

    /// `<<`: keys that are there already win, and so do earlier mappings of a list (https://yaml.org/type/merge.html).
    private func add(
        _ value: ConfigurationNode, at location: SourceLocation, to entries: inout [ConfigurationNode.Entry],
        locations: inout [String: SourceLocation]
    ) {
        switch value.content {
        case .mapping(let merged):
            for entry in merged where locations[entry.key] == nil {
                locations[entry.key] = entry.keyOrigin.location
                entries.append(entry)
            }
        case .sequence(let values):
            for value in values {
                guard case .mapping = value.content else {
                    diagnostics.error(location, "`<<`: expected mappings to merge, found \(value.found) among them")
                    continue
                }
                add(value, at: location, to: &entries, locations: &locations)
            }
        case .refused: break
        case .scalar, .null:
            diagnostics.error(location, "`<<`: expected a mapping to merge, found \(value.found)")
        }
    }
}
