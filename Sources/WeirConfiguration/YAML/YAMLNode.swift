import YAMLEvents

/// Text that is not YAML, or nests deeper than a configuration may.
struct YAMLError: Error {
    /// The location of the error; nil where it concerns the whole file.
    let location: SourceLocation?
    /// The error in words, without the location.
    let message: String
}

/// A part of a YAML document as it is written, with aliases resolved to the nodes that they name.
struct YAMLNode {
    /// A key and its value, as they are written: keys may be anything, and may come twice.
    struct Entry {
        /// The location of the key, also where it is an alias.
        let keyLocation: SourceLocation
        let key: YAMLNode
        let value: YAMLNode
    }

    enum Content {
        case scalar(text: String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([Entry])
    }

    /// The location of the node; for an alias, that of the node that it names.
    let location: SourceLocation
    let content: Content
}

/// Builds the tree of the one document in a text. The work is linear in the text: an alias shares its node.
struct YAMLComposer: ~Copyable {
    private var reader: YAMLEventReader
    /// Nodes that are complete and have a name. A later one of the same name replaces it.
    private var anchors: [String: YAMLNode] = [:]

    init(_ text: String) throws(YAMLError) {
        do throws(YAMLSyntaxError) {
            reader = try YAMLEventReader(text)
        } catch {
            throw YAMLError(error)
        }
    }

    /// The document's root; nil where there is no document.
    mutating func compose() throws(YAMLError) -> YAMLNode? {
        guard case .documentStart = try next().event else { return nil }
        let (event, location) = try next()
        let root = try node(event, at: location, depth: 0)
        // Its end.
        _ = try next()
        let behind = try next()
        guard case .streamEnd = behind.event else {
            throw YAMLError(
                location: behind.location, message: "expected one YAML document, found a second one")
        }
        return root
    }

    private mutating func next() throws(YAMLError) -> (event: YAMLEventReader.Event, location: SourceLocation) {
        do throws(YAMLSyntaxError) {
            let (event, mark) = try reader.next()
            return (event, SourceLocation(mark))
        } catch {
            throw YAMLError(error)
        }
    }

    private mutating func node(
        _ event: YAMLEventReader.Event, at location: SourceLocation, depth: Int
    ) throws(YAMLError) -> YAMLNode {
        guard depth <= YAMLReader.maxNesting else { throw YAMLError.tooDeep(at: location) }
        let content: YAMLNode.Content
        let name: String?
        switch event {
        case .alias(let anchor):
            guard let node = anchors[anchor] else {
                throw YAMLError(location: location, message: "invalid YAML: found undefined alias")
            }
            return node
        case .scalar(let text, let isPlain, let anchor):
            (content, name) = (.scalar(text: text, isPlain: isPlain), anchor)
        case .sequenceStart(let anchor):
            (content, name) = (.sequence(try children(depth: depth)), anchor)
        case .mappingStart(let anchor):
            (content, name) = (.mapping(try entries(depth: depth)), anchor)
        case .documentStart, .documentEnd, .collectionEnd, .streamEnd:
            // The parser's grammar has no such event here.
            throw YAMLError(location: location, message: "invalid YAML: expected a value")
        }
        let node = YAMLNode(location: location, content: content)
        if let name { anchors[name] = node }
        return node
    }

    private mutating func children(depth: Int) throws(YAMLError) -> [YAMLNode] {
        var children: [YAMLNode] = []
        while true {
            let (event, location) = try next()
            if case .collectionEnd = event { return children }
            children.append(try node(event, at: location, depth: depth + 1))
        }
    }

    private mutating func entries(depth: Int) throws(YAMLError) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        while true {
            let (event, keyLocation) = try next()
            if case .collectionEnd = event { return entries }
            let key = try node(event, at: keyLocation, depth: depth + 1)
            let (valueEvent, location) = try next()
            let value = try node(valueEvent, at: location, depth: depth + 1)
            entries.append(YAMLNode.Entry(keyLocation: keyLocation, key: key, value: value))
        }
    }
}

extension YAMLError {
    /// A syntax error, with the construct in which it was found.
    fileprivate init(_ error: YAMLSyntaxError) {
        let context = error.context.map { words, mark in
            mark == error.mark ? " \(words)" : " \(words) that starts at \(SourceLocation(mark))"
        }
        self.init(
            location: error.mark.map { SourceLocation($0) }, message: "invalid YAML: \(error.problem)\(context ?? "")")
    }

    /// More levels than a configuration may have.
    static func tooDeep(at location: SourceLocation) -> YAMLError {
        YAMLError(
            location: location, message: "found more than \(YAMLReader.maxNesting) levels of nesting")
    }
}

extension SourceLocation {
    fileprivate init(_ mark: YAMLMark) {
        self.init(line: mark.line, column: mark.column)
    }
}
