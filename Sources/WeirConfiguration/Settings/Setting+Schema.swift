import NetworkTypes

extension Setting {
    /// The schema of the value: that of each way to write it, with its meaning and default.
    var schema: JSONValue {
        let schemas = variants.map(\.schema)
        var all: [JSONValue] = []
        for schema in schemas where !all.contains(schema) { all.append(schema) }
        let value = all.count == 1 ? all[0] : .anyOf(all)
        return meaning.isEmpty ? value : JSONValue.members([("description", .string(meaning))]).adding(value.ownMembers)
    }
}

extension JSONValue {
    /// The members of an object.
    fileprivate var ownMembers: [(String, JSONValue)] {
        if case .object(let members) = self { members.map { ($0.name, $0.value) } } else { [] }
    }
}
