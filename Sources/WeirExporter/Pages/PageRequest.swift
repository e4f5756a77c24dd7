import WeirMetrics

/// The page that a client requests. Clients that request the same one share it.
struct PageRequest: Equatable {
    var format: ExpositionFormat
    /// The selection of the query; nil is the whole page.
    var filter: PageFilter?

    /// Fields that a query may have, and bytes of each name and value.
    private static let maxFields = 64
    private static let maxValueLength = 256
    /// Values of one filter.
    static let maxValues = 16
    private static let tooManyValues = RequestError(
        status: .badRequest,
        explanation: "400 Bad Request: at most \(maxValues) values of `name` and \(maxValues) of `route` in one request"
    )

    /// The page that the head asks for.
    /// - Throws: where the query is no proper one, or longer than the bounds.
    init(_ head: RequestHead, of bytes: Span<UInt8>) throws(RequestError) {
        format = head.formats.preferred
        guard let query = head.query else { return }
        var names: [String] = []
        var routes: [String] = []
        var fields = 0
        var start = query.lowerBound
        while start <= query.upperBound {
            var end = start
            while end < query.upperBound, bytes[end] != UInt8(ascii: "&") { end += 1 }
            let (key, value) = try Self.field(start..<end, of: bytes)
            switch key {
            case "name[]", "name": names.append(value)
            case "route[]", "route": routes.append(value)
            default: break
            }
            guard names.count <= Self.maxValues, routes.count <= Self.maxValues else { throw Self.tooManyValues }
            fields += 1
            guard fields <= Self.maxFields else { throw .malformed }
            start = end + 1
        }
        if names.isEmpty && routes.isEmpty { return }
        filter = PageFilter(names: names, labels: routes.isEmpty ? [:] : ["route": Set(routes)])
    }

    /// `key=value`, both decoded.
    private static func field(
        _ range: Range<Int>, of bytes: Span<UInt8>
    ) throws(RequestError) -> (key: String, value: String) {
        var equals = range.lowerBound
        while equals < range.upperBound, bytes[equals] != UInt8(ascii: "=") { equals += 1 }
        let value = equals < range.upperBound ? equals + 1..<range.upperBound : equals..<equals
        return (try decoded(range.lowerBound..<equals, of: bytes), try decoded(value, of: bytes))
    }

    /// Takes `%41` and `+` for what they stand for (URL Standard, application/x-www-form-urlencoded). Bytes that are no
    /// UTF-8 fit nothing: they become replacement characters.
    private static func decoded(_ range: Range<Int>, of bytes: Span<UInt8>) throws(RequestError) -> String {
        var text: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound {
            switch bytes[index] {
            case UInt8(ascii: "+"): text.append(ASCII.space)
            case UInt8(ascii: "%"):
                guard range.upperBound - index > 2, let high = ASCII.hexadecimal(bytes[index + 1]),
                    let low = ASCII.hexadecimal(bytes[index + 2])
                else { throw .malformed }
                text.append(high << 4 | low)
                index += 2
            default: text.append(bytes[index])
            }
            index += 1
            guard text.count <= maxValueLength else { throw .malformed }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
