import WeirConfiguration

/// The labels of one container that Weir reads: its aliases with their fields, and what is wrong with them.
///
/// The grammar is `PREFIX.aliases`, `PREFIX.exclude`, `PREFIX.network`, `PREFIX.<alias>.<field>[.<field>…]`, where the
/// alias may be `#1` or `$1` by its position or `*` for all, and `PREFIX.<alias>` with a mapping of YAML. Labels with
/// fewer dots come first, so that single fields override a block; those of `*` come last and win.
struct ContainerLabels: Sendable {
    /// The most labels of the prefix that one container may have, and their bytes.
    static let maxCount = 512
    static let maxBytes = 64 << 10
    /// The most aliases of one container.
    static let maxAliases = 64

    /// The routes that it asks for, in the order of their names in `aliases`, and behind them those of labels alone.
    private(set) var aliases: [AliasFields] = []
    /// Aliases that are no streams, as they are written, and have a port: it may have been `LISTEN:TARGET` to a reader
    /// of YAML.
    private(set) var others: [AliasFields] = []
    /// Whether it has a label of the prefix at all.
    private(set) var isLabeled = false
    /// Whether it says that it is none of Weir's.
    private(set) var isExcluded = false
    /// The network that it names.
    private(set) var network: String?
    /// The errors of all labels.
    private(set) var problems: [Diagnostic] = []

    /// The name of the container, which is an alias where there is no other.
    private let container: String
    /// The name of the container in messages.
    private let title: String
    private let prefix: String
    /// Whether an HTTP proxy reads labels of this prefix, too.
    private let isShared: Bool

    /// A label of the prefix.
    private struct Label {
        let key: String
        let parts: [String]
        let value: String
    }

    /// Reads the labels of a container. Pure.
    init(_ labels: [String: String], container: String, title: String? = nil, prefix: String) {
        self.container = container
        self.title = title ?? container
        self.prefix = prefix + "."
        isShared = prefix == Configuration.Docker.defaultLabelPrefix
        read(labels)
    }

    private func origin(_ key: String) -> Origin { .label(container: title, name: key) }

    private mutating func refuse(_ key: String, _ message: String, suggestion: String? = nil) {
        problems.append(Diagnostic(origin: origin(key), message: message, suggestion: suggestion))
    }

    private mutating func read(_ labels: [String: String]) {
        let own = labels.filter { $0.key.hasPrefix(prefix) }
        isLabeled = !own.isEmpty
        let bytes = own.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard own.count <= Self.maxCount, bytes <= Self.maxBytes else {
            problems.append(
                Diagnostic(
                    origin: .label(container: title, name: nil),
                    message: "expected at most \(Self.maxCount) labels of \(Self.maxBytes >> 10) KiB together, found "
                        + "\(own.count) of \(bytes) bytes"))
            return
        }
        let sorted = own.map { key, value in
            Label(
                key: key,
                parts: key.dropFirst(prefix.count).split(separator: ".", omittingEmptySubsequences: false)
                    .map(String.init), value: value)
        }.sorted { ($0.parts.count, $0.key) < ($1.parts.count, $1.key) }
        readContainerLabels(sorted)
        guard !isExcluded else { return }
        let fields = sorted.filter { !($0.parts.count == 1 && LabelField.ofContainers.contains($0.parts[0])) }
        readFields(fields, listed: labels[prefix + "aliases"])
    }

    private mutating func readContainerLabels(_ labels: [Label]) {
        for label in labels where label.parts.count == 1 {
            switch label.parts[0] {
            case "exclude":
                switch label.value.lowercased() {
                case "true", "yes", "1", "on": isExcluded = true
                case "false", "no", "0", "off", "": break
                default: refuse(label.key, "expected `true` or `false`, found \(shown(label.value))")
                }
            case "network":
                let name = label.value
                if (1...128).contains(name.utf8.count) {
                    network = name
                } else {
                    refuse(label.key, "expected the name of a network, found \(shown(name))")
                }
            default: break
            }
        }
    }

    // MARK: Aliases

    private mutating func readFields(_ labels: [Label], listed: String?) {
        var names: [String] = []
        if let listed {
            for name in listed.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map(String.init) {
                if !Self.isName(name) {
                    refuse(
                        prefix + "aliases",
                        "expected names of 1 to 64 characters of `A-Z a-z 0-9 _ . -`, found \(shown(name))")
                } else if names.contains(name) {
                    refuse(prefix + "aliases", "the alias \(shown(name)) is named twice")
                } else {
                    names.append(name)
                }
            }
        } else {
            names = [container]
        }
        let own = names
        var trees: [String: ConfigurationNode] = [:]
        var forAll: [Label] = []
        for label in labels {
            guard !label.parts.contains(where: \.isEmpty) else {
                refuse(label.key, "expected a name between the dots, found none")
                continue
            }
            if label.parts[0] == "*" {
                forAll.append(label)
                continue
            }
            guard let name = alias(label, among: own) else { continue }
            guard let value = value(label) else { continue }
            if !names.contains(name) { names.append(name) }
            lay(value, label, over: &trees[name])
        }
        // Without a list the container's own name is one only where a label means it, or there is no other.
        if listed == nil, names.count > 1, trees[container] == nil { names.removeFirst() }
        for label in forAll {
            guard let value = value(label) else { continue }
            for name in names { lay(value, label, over: &trees[name]) }
        }
        guard names.count <= Self.maxAliases else {
            problems.append(
                Diagnostic(
                    origin: .label(container: title, name: nil),
                    message: "expected at most \(Self.maxAliases) aliases, found \(names.count)"))
            return
        }
        for name in names { add(name, trees[name]?.entries ?? [], isListed: listed != nil) }
    }

    private func lay(_ value: ConfigurationNode, _ label: Label, over tree: inout ConfigurationNode?) {
        let base = tree ?? ConfigurationNode(origin: origin(label.key), content: .mapping([]))
        tree = base.laying(value, at: label.parts.dropFirst())
    }

    /// The alias that the first part of a label means: by its name, or by its position.
    private mutating func alias(_ label: Label, among own: [String]) -> String? {
        let word = label.parts[0]
        if word.hasPrefix("#") || word.hasPrefix("$") {
            if let number = Int(word.dropFirst()), own.indices.contains(number - 1) { return own[number - 1] }
            refuse(
                label.key,
                "expected the position of an alias, from \(word.prefix(1))1 to \(word.prefix(1))\(own.count), found "
                    + shown(word))
            return nil
        }
        guard Self.isName(word) else {
            refuse(label.key, "expected an alias of 1 to 64 characters of `A-Z a-z 0-9 _ -`, found \(shown(word))")
            return nil
        }
        return word
    }

    private static func isName(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        guard let first = text.utf8.first, text.utf8.count <= 64, isAlphanumeric(first) else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    // MARK: Values

    /// The value of a label: YAML where it is a block or looks like a list or a mapping, else its text. Nil where it is
    /// an HTTP proxy's, or wrong.
    private mutating func value(_ label: Label) -> ConfigurationNode? {
        let isBlock = label.parts.count == 1
        let text = label.value.replacing(each: "\t", with: "  ")
        let isStructured = text.hasPrefix("{") || text.hasPrefix("[") || text.contains("\n")
        guard isBlock || isStructured else {
            return ConfigurationNode(
                origin: origin(label.key), content: .scalar(text: label.value, written: label.value))
        }
        let (node, faults) = ConfigurationNode.reading(label: text, at: origin(label.key))
        if isBlock {
            if case .mapping? = node?.content { return node }
            // `proxy.ports`, `proxy.idle_timeout` and the like belong to the HTTP proxy.
            if isShared { return nil }
            guard faults.isEmpty else {
                problems += faults
                return nil
            }
            let word = label.parts[0]
            let near = nearMiss(of: word, among: LabelField.ofContainers)
            let field = LabelField.all.contains(word) ? "\(prefix)<alias>.\(word)" : near.map { prefix + $0 }
            refuse(
                label.key, "expected a mapping of fields, or `\(prefix)\(word).<field>`, found \(shown(label.value))",
                suggestion: field)
            return nil
        }
        problems += faults
        return node
    }

    // MARK: Fields

    private mutating func add(_ name: String, _ entries: [ConfigurationNode.Entry], isListed: Bool) {
        var fields = AliasFields(name: name, entries: entries)
        if isShared {
            fields.entries.removeAll { LabelField.ofHTTPProxies.contains($0.key) }
            guard fields.isStream else {
                if fields["scheme"] == nil, fields["port"] != nil { others.append(fields) }
                return
            }
        } else if fields.entries.isEmpty, !isListed {
            return
        }
        for entry in fields.entries { check(entry) }
        if fields["port"] == nil {
            problems.append(
                Diagnostic(
                    origin: .label(container: title, name: nil),
                    message: "the alias \(shown(name)) has no `port`: expected a label such as "
                        + "`\(prefix)\(name).port: \"2222:22\"`"))
        }
        aliases.append(fields)
    }

    private mutating func check(_ entry: ConfigurationNode.Entry) {
        let key = entry.key
        if LabelField.all.contains(key) {
            if key == "acl" { check(acl: entry.value) }
            if key == "tls" { check(tls: entry.value) }
            return
        }
        var message = "unknown field \(shown(key))"
        var suggestion: String?
        if let reason = LabelField.refused[key] {
            message = "labels cannot set `\(key)`: \(reason)"
        } else {
            suggestion = nearMiss(of: key, among: LabelField.all.sorted())
        }
        problems.append(Diagnostic(origin: entry.keyOrigin, message: message, suggestion: suggestion))
    }

    /// Labels only turn TLS on: certificates, authorities and protocols are the file's.
    private mutating func check(tls value: ConfigurationNode) {
        if case .scalar(let text, _) = value.content, text == "true" { return }
        problems.append(Diagnostic(origin: value.origin, message: "`tls`: labels can only say `true`"))
    }

    /// Labels only turn clients away, and name no file.
    private mutating func check(acl value: ConfigurationNode) {
        for entry in value.entries where entry.key != "deny" {
            problems.append(
                Diagnostic(
                    origin: entry.keyOrigin, message: "`acl`: labels can only `deny`, found \(shown(entry.key))"))
        }
        let rules = value.entries.first { $0.key == "deny" }?.value
        let items: [ConfigurationNode]
        switch rules?.content {
        case .sequence(let list)?: items = list
        case nil: items = []
        default: items = rules.map { [$0] } ?? []
        }
        for item in items {
            var isFile = !item.entries.isEmpty
            if case .scalar(let text, _) = item.content { isFile = text.hasPrefix("file:") }
            if isFile {
                problems.append(Diagnostic(origin: item.origin, message: "`acl`: labels name no files"))
            }
        }
    }
}
