extension PathRequest {
    /// Fields that a query may have, and bytes of each name and value.
    private static let maxFields = 64
    private static let maxValueLength = 256

    /// The path and the query of a head.
    /// - Throws: where the query is no proper one, or longer than the bounds.
    init(_ head: RequestHead, of bytes: Span<UInt8>) throws(RequestError) {
        path = String(decoding: head.path.map { bytes[$0] }, as: UTF8.self)
        query = try Self.fields(head, of: bytes)
    }

    /// The fields of a head's query.
    static func fields(_ head: RequestHead, of bytes: Span<UInt8>) throws(RequestError) -> [Field] {
        guard let query = head.query else { return [] }
        var fields: [Field] = []
        var start = query.lowerBound
        while start <= query.upperBound {
            var end = start
            while end < query.upperBound, bytes[end] != UInt8(ascii: "&") { end += 1 }
            fields.append(try field(start..<end, of: bytes))
            guard fields.count <= maxFields else { throw .malformed }
            start = end + 1
        }
        return fields
    }

    /// `key=value`, both decoded.
    private static func field(
        _ range: Range<Int>, of bytes: Span<UInt8>
    ) throws(RequestError) -> Field {
        var equals = range.lowerBound
        while equals < range.upperBound, bytes[equals] != UInt8(ascii: "=") { equals += 1 }
        let value = equals < range.upperBound ? equals + 1..<range.upperBound : equals..<equals
        return Field(name: try decoded(range.lowerBound..<equals, of: bytes), value: try decoded(value, of: bytes))
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
