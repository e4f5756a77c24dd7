extension RequestHead {
    private static let get = Array("GET".utf8)
    private static let head = Array("HEAD".utf8)
    private static let httpPrefix = Array("HTTP/".utf8)
    private static let schemes = [Array("http://".utf8), Array("https://".utf8)]

    /// `method SP target SP version` (RFC 9112 section 3).
    init(requestLine line: Range<Int>, of bytes: Span<UInt8>) throws(RequestError) {
        let methodEnd = Self.end(of: line, at: ASCII.space, in: bytes)
        let methodRange = line.lowerBound..<methodEnd
        guard methodEnd < line.upperBound, !methodRange.isEmpty, bytes.allSatisfy(methodRange, ASCII.isToken) else {
            throw .malformed
        }
        let afterMethod = methodEnd + 1..<line.upperBound
        let targetEnd = Self.end(of: afterMethod, at: ASCII.space, in: bytes)
        let target = afterMethod.lowerBound..<targetEnd
        guard targetEnd < line.upperBound, !target.isEmpty, bytes.allSatisfy(target, Self.isTargetByte) else {
            throw .malformed
        }
        version = try Self.version(targetEnd + 1..<line.upperBound, in: bytes)
        method = bytes.equals(methodRange, Self.get) ? .get : bytes.equals(methodRange, Self.head) ? .head : .other
        let (resource, authority) = try Self.resource(target, method: method, in: bytes)
        if let authority { host = try RequestedHost(authority, of: bytes) }
        let pathEnd = Self.end(of: resource, at: UInt8(ascii: "?"), in: bytes)
        path = resource.lowerBound..<pathEnd
        query = pathEnd < resource.upperBound ? pathEnd + 1..<resource.upperBound : nil
        keepsAlive = version == .http11
    }

    /// The index of the first `byte`, or the end of the range.
    private static func end(of range: Range<Int>, at byte: UInt8, in bytes: Span<UInt8>) -> Int {
        var index = range.lowerBound
        while index < range.upperBound, bytes[index] != byte { index += 1 }
        return index
    }

    /// Visible ASCII; a fragment is never sent (RFC 9110 section 4.1).
    private static func isTargetByte(_ byte: UInt8) -> Bool { ASCII.isVisible(byte) && byte != UInt8(ascii: "#") }

    private static func version(_ range: Range<Int>, in bytes: Span<UInt8>) throws(RequestError) -> Version {
        let start = range.lowerBound
        guard range.count == 8, bytes.equals(start..<start + 5, httpPrefix), ASCII.isDigit(bytes[start + 5]),
            bytes[start + 6] == UInt8(ascii: "."), ASCII.isDigit(bytes[start + 7])
        else { throw .malformed }
        guard bytes[start + 5] == UInt8(ascii: "1") else { throw RequestError(status: .versionNotSupported) }
        switch bytes[start + 7] {
        case UInt8(ascii: "0"): return .http10
        case UInt8(ascii: "1"): return .http11
        default: throw RequestError(status: .versionNotSupported)
        }
    }

    /// Path and query of the four forms of RFC 9112 section 3.2, and the authority of the absolute form.
    private static func resource(
        _ target: Range<Int>, method: Method, in bytes: Span<UInt8>
    ) throws(RequestError) -> (resource: Range<Int>, authority: Range<Int>?) {
        if bytes[target.lowerBound] == UInt8(ascii: "/") { return (target, nil) }
        for scheme in schemes where target.count > scheme.count {
            guard bytes.matches(target.lowerBound..<target.lowerBound + scheme.count, scheme) else { continue }
            var index = target.lowerBound + scheme.count
            let authority = index
            while index < target.upperBound, bytes[index] != UInt8(ascii: "/"), bytes[index] != UInt8(ascii: "?") {
                index += 1
            }
            guard index > authority else { throw .malformed }
            return (index..<target.upperBound, authority..<index)
        }
        // `*` and `host:port` belong to OPTIONS and CONNECT, which get 405 whatever they ask for.
        if method == .other { return (target.upperBound..<target.upperBound, nil) }
        throw .malformed
    }
}
