import NetworkTypes

/// One key of a section: the form of its value, the property that takes it, and its documentation.
///
/// This declaration is the only one. The reader, the defaults, the check for unknown keys, the differences that a
/// reload tells, the list of what needs a restart, the reference in `docs` and the JSON schema are made from it.
///
/// A class, because each route of a file is held against all of them, and a copy would retain each of their closures.
final class Setting<Root: Sendable>: Sendable {
    /// The effect of a reload on a new value.
    enum Reload: Sendable {
        /// It takes effect.
        case live
        /// The old value stays until the process starts anew.
        case restart
    }

    /// The property that holds the value, with its notation. A setting of both transports that differ has two.
    struct Variant: Sendable {
        /// The transport that it is for; nil is either.
        let transport: Transport?
        /// Reads a value into the root. False after an error, which is noted.
        let read: @Sendable (ConfigurationNode, inout Root, ReadingContext) -> Bool
        /// The value as it is written; nil where nothing can be written for it.
        let text: @Sendable (Root) -> String?
        let isEqual: @Sendable (Root, Root) -> Bool
        /// Copies the value from the first root to the second.
        let copy: @Sendable (Root, inout Root) -> Void
        /// The values that it takes.
        let schema: JSONValue
        /// Values as they are written, at least two that differ.
        let examples: [String]
        /// The default within a section that may be left out, as it is written.
        var initialText: String?
    }

    /// The content of a section instead of a value.
    enum Content: Sendable {
        /// A value.
        case value
        /// The settings of a mapping, each compared and documented by itself.
        case group([Setting<Root>])
        /// The reader of the whole file takes it apart: `defaults` and `routes`.
        case structure
        /// A key that the design names and this version refuses.
        case later
    }

    let key: String
    let meaning: String
    /// The page that explains it; nil where it is that of the section around it.
    let page: DocumentationPage?
    let reload: Reload
    /// The expected key, in words, where it is left out; nil where it may be.
    let requirement: String?
    /// The default in words, where it is no value that could be written.
    let defaultWords: String?
    let content: Content
    let variants: [Variant]
    /// How a value in `defaults` is read, where routes of both transports take it from there.
    let inDefaults: Variant?

    private init(
        _ key: String, _ meaning: String, page: DocumentationPage? = nil, reload: Reload = .live,
        requirement: String? = nil, defaultWords: String? = nil, content: Content, variants: [Variant] = [],
        inDefaults: Variant? = nil
    ) {
        self.key = key
        self.meaning = meaning
        self.page = page
        self.reload = reload
        self.requirement = requirement
        self.defaultWords = defaultWords
        self.content = content
        self.variants = variants
        self.inDefaults = inDefaults ?? variants.first
    }

    /// A value. `transport` is for keys of routes that one transport has.
    convenience init<Value>(
        _ key: String, _ path: SettingPath<Root, Value>, _ notation: Notation<Value>,
        for transport: Transport? = nil, default words: String? = nil, required requirement: String? = nil,
        reload: Reload = .live, page: DocumentationPage? = nil, _ meaning: String
    ) {
        let variant = Variant(key, path, notation, for: transport)
        self.init(
            key, meaning, page: page, reload: reload, requirement: requirement, defaultWords: words, content: .value,
            variants: [variant])
    }

    /// A value that TCP and UDP keep in properties of their own. `inDefaults` is for words that only one of them has.
    convenience init<TCPValue, UDPValue>(
        _ key: String, tcp: (SettingPath<Root, TCPValue>, Notation<TCPValue>),
        udp: (SettingPath<Root, UDPValue>, Notation<UDPValue>),
        inDefaults: Notation<TCPValue>? = nil, default words: String? = nil, page: DocumentationPage? = nil,
        _ meaning: String
    ) {
        self.init(
            key, meaning, page: page, defaultWords: words, content: .value,
            variants: [Variant(key, tcp.0, tcp.1, for: .tcp), Variant(key, udp.0, udp.1, for: .udp)],
            inDefaults: inDefaults.map { Variant(key, tcp.0, $0, for: nil) })
    }

    /// A mapping of settings that is always there.
    convenience init<Child>(
        group key: String, _ path: SettingPath<Root, Child>, _ section: Section<Child>,
        named name: String? = nil, page: DocumentationPage? = nil, _ meaning: String
    ) {
        let name = name ?? "`\(key)`"
        let variant = Variant(
            transport: nil,
            read: { node, root, context in section.read(node, named: name, into: &root[keyPath: path], context) },
            text: { section.text($0[keyPath: path]) },
            isEqual: { left, right in section.isEqual(left[keyPath: path], right[keyPath: path]) },
            copy: { from, to in to[keyPath: path] = from[keyPath: path] }, schema: section.schema, examples: [])
        self.init(
            key, meaning, page: page, content: .group(section.settings.map { $0.lifted(through: path) }),
            variants: [variant])
    }

    /// A mapping of settings that may be left out; `initial` is what there is of it before its keys are read.
    convenience init<Child>(
        group key: String, _ path: SettingPath<Root, Child?>, _ section: Section<Child>,
        initial: Child, page: DocumentationPage? = nil, _ meaning: String
    ) {
        let variant = Variant(
            transport: nil,
            read: { node, root, context in
                if node.isOff {
                    root[keyPath: path] = nil
                    return true
                }
                var child = initial
                let isGood = section.read(node, named: "`\(key)`", into: &child, context)
                root[keyPath: path] = child
                return isGood
            },
            text: { root in root[keyPath: path].flatMap { section.text($0) } },
            isEqual: { left, right in
                switch (left[keyPath: path], right[keyPath: path]) {
                case (nil, nil): true
                case (let left?, let right?): section.isEqual(left, right)
                default: false
                }
            },
            copy: { from, to in to[keyPath: path] = from[keyPath: path] },
            schema: .anyOf([.off, section.schema]), examples: [])
        self.init(
            key, meaning, page: page,
            content: .group(section.settings.map { $0.lifted(throughOptional: path, initial: initial) }),
            variants: [variant])
    }

    /// A key that the reader of the file takes apart itself.
    static func structure(_ key: String, _ meaning: String) -> Setting {
        Setting(key, meaning, content: .structure)
    }

    /// A key that is refused as long as nothing stands behind it.
    static func later(_ key: String) -> Setting {
        Setting(key, "", content: .later)
    }

    /// The transports that have it.
    var transports: [Transport] {
        Transport.allCases.filter { transport in
            variants.contains { $0.transport == nil || $0.transport == transport }
        }
    }

    /// How it is read on a route of that transport; nil where that has no such setting.
    func variant(for transport: Transport) -> Variant? {
        variants.first { $0.transport == nil || $0.transport == transport }
    }
}

extension Setting.Variant {
    init<Value>(
        _ key: String, _ path: SettingPath<Root, Value>, _ notation: Notation<Value>,
        for transport: Transport?
    ) {
        self.init(
            transport: transport,
            read: { node, root, context in
                guard let value = notation.read(node, key, context) else { return false }
                root[keyPath: path] = value
                return true
            },
            text: { notation.text($0[keyPath: path]) },
            isEqual: { $0[keyPath: path] == $1[keyPath: path] },
            copy: { from, to in to[keyPath: path] = from[keyPath: path] }, schema: notation.schema,
            examples: notation.examples)
    }
}

// MARK: Settings of a section as settings of what contains it

extension Setting {
    fileprivate func lifted<Outer>(through path: SettingPath<Outer, Root>) -> Setting<Outer> {
        lifted { variant in
            Setting<Outer>.Variant(
                transport: variant.transport,
                read: { node, outer, context in variant.read(node, &outer[keyPath: path], context) },
                text: { variant.text($0[keyPath: path]) },
                isEqual: { variant.isEqual($0[keyPath: path], $1[keyPath: path]) },
                copy: { from, to in variant.copy(from[keyPath: path], &to[keyPath: path]) },
                schema: variant.schema, examples: variant.examples, initialText: variant.initialText)
        } children: {
            $0.lifted(through: path)
        }
    }

    /// Settings of a section that is left out have no text, and differ from those of any section.
    fileprivate func lifted<Outer>(
        throughOptional path: SettingPath<Outer, Root?>, initial: Root
    ) -> Setting<Outer> {
        lifted { variant in
            Setting<Outer>.Variant(
                transport: variant.transport,
                read: { node, outer, context in
                    guard var root = outer[keyPath: path] else { return false }
                    let isGood = variant.read(node, &root, context)
                    outer[keyPath: path] = root
                    return isGood
                },
                text: { outer in outer[keyPath: path].flatMap { variant.text($0) } },
                isEqual: { left, right in
                    switch (left[keyPath: path], right[keyPath: path]) {
                    case (nil, nil): true
                    case (let left?, let right?): variant.isEqual(left, right)
                    default: false
                    }
                },
                copy: { from, to in
                    guard let from = from[keyPath: path], var root = to[keyPath: path] else { return }
                    variant.copy(from, &root)
                    to[keyPath: path] = root
                },
                schema: variant.schema, examples: variant.examples, initialText: variant.text(initial))
        } children: {
            $0.lifted(throughOptional: path, initial: initial)
        }
    }

    private func lifted<Outer>(
        _ lift: (Variant) -> Setting<Outer>.Variant, children: (Setting) -> Setting<Outer>
    ) -> Setting<Outer> {
        let content: Setting<Outer>.Content =
            switch self.content {
            case .value: .value
            case .group(let settings): .group(settings.map(children))
            case .structure: .structure
            case .later: .later
            }
        return Setting<Outer>(
            key, meaning, page: page, reload: reload == .live ? .live : .restart, requirement: requirement,
            defaultWords: defaultWords, content: content, variants: variants.map(lift))
    }
}

/// The way from a section to the value of a setting.
typealias SettingPath<Root, Value> = any WritableKeyPath<Root, Value> & Sendable
