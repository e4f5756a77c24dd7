import CYAML

/// A position in a text. Both numbers count from 1; columns count Unicode scalars.
public struct YAMLMark: Sendable, Equatable {
    /// The line, from 1.
    public let line: Int
    /// The column within the line, from 1.
    public let column: Int
}

/// An error of the text: it is not YAML.
public struct YAMLSyntaxError: Error {
    /// The position of the error; nil if libyaml reports none.
    public let mark: YAMLMark?
    /// The error in libyaml's words.
    public let problem: String
    /// The construct that was being read, in libyaml's words, and where it starts.
    public let context: (words: String, mark: YAMLMark)?
}

/// Reads YAML 1.1 text as the events of libyaml (https://yaml.org/spec/1.1/). It has one owner. After an error,
/// each further call throws the same error.
@safe public struct YAMLEventReader: ~Copyable {
    /// A step of the text's structure.
    public enum Event: Sendable {
        /// The start of a document, with or without `---`.
        case documentStart
        /// The end of a document.
        case documentEnd
        /// The name of an anchor, instead of a node.
        case alias(String)
        /// A scalar. A plain one has no quotes and is no block.
        case scalar(text: String, isPlain: Bool, anchor: String?)
        /// The start of a list.
        case sequenceStart(anchor: String?)
        /// The start of a mapping: keys and values follow in turn.
        case mappingStart(anchor: String?)
        /// The end of the innermost sequence or mapping.
        case collectionEnd
        /// The end of the text.
        case streamEnd
    }

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// The text, which the parser points to.
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// A parser of `text`, which is copied.
    public init(_ text: String) throws(YAMLSyntaxError) {
        let bytes = Array(text.utf8)
        unsafe input = .allocate(capacity: bytes.count)
        _ = unsafe input.initialize(from: bytes)
        unsafe parser = .allocate(capacity: 1)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            unsafe input.deallocate()
            throw YAMLSyntaxError(mark: nil, problem: "there is no memory to read it", context: nil)
        }
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe input.deallocate()
    }

    /// The next event, and the position of its start.
    public mutating func next() throws(YAMLSyntaxError) -> (event: Event, mark: YAMLMark) {
        var event = unsafe yaml_event_t()
        while true {
            // It reports success, and no event, when it is called again after an error.
            guard unsafe yaml_parser_parse(parser, &event) == 1, unsafe parser.pointee.error == YAML_NO_ERROR else {
                throw error
            }
            defer { unsafe yaml_event_delete(&event) }
            if let translated = unsafe Self.translate(event) {
                return (translated, unsafe YAMLMark(event.start_mark))
            }
        }
    }

    /// The event in Swift; nil for the start of the stream, which carries nothing.
    private static func translate(_ event: yaml_event_t) -> Event? {
        switch unsafe event.type {
        // No event: the end was told before.
        case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return .streamEnd
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_ALIAS_EVENT:
            return .alias(unsafe text(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let style = unsafe scalar.style
            return .scalar(
                text: unsafe String(decoding: bytes, as: UTF8.self),
                isPlain: style == YAML_PLAIN_SCALAR_STYLE || style == YAML_ANY_SCALAR_STYLE,
                anchor: unsafe text(scalar.anchor))
        case YAML_SEQUENCE_START_EVENT:
            return .sequenceStart(anchor: unsafe text(event.data.sequence_start.anchor))
        case YAML_MAPPING_START_EVENT:
            return .mappingStart(anchor: unsafe text(event.data.mapping_start.anchor))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return .collectionEnd
        default: return nil
        }
    }

    private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe String(cString: pointer)
    }

    /// The parser's last error.
    private var error: YAMLSyntaxError {
        let state = unsafe parser.pointee
        let problem = unsafe state.problem.map { unsafe String(cString: $0) } ?? "it cannot be read"
        switch unsafe state.error {
        case YAML_SCANNER_ERROR, YAML_PARSER_ERROR:
            return YAMLSyntaxError(
                mark: YAMLMark(unsafe state.problem_mark), problem: problem,
                context: unsafe state.context.map {
                    (unsafe String(cString: $0), YAMLMark(unsafe state.context_mark))
                })
        default:
            return YAMLSyntaxError(mark: nil, problem: problem, context: nil)
        }
    }
}

extension YAMLMark {
    /// libyaml counts both from 0.
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }
}
