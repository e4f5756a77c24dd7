/// A request at the admin socket (RFC 9112): a method, a path and parameters. Pure; reads bytes from outside.
struct AdminRequest: Equatable {
    enum Method: Equatable {
        case get, post
    }

    /// Why there is no request.
    enum Problem: Error, Equatable {
        /// The head is not whole yet.
        case incomplete
        case malformed
        case tooLong
        /// A method other than GET and POST.
        case method
    }

    /// Bytes of a head.
    static let maxBytes = 8192
    private static let maxParameters = 16

    var method: Method
    var path: String
    /// By name; a repeated name has its last value.
    var parameters: [String: String] = [:]

    init(method: Method, path: String, parameters: [String: String] = [:]) {
        self.method = method
        self.path = path
        self.parameters = parameters
    }

    /// Reads the head of a request; what follows it is not looked at.
    init(_ bytes: [UInt8]) throws(Problem) {
        guard Self.hasEnd(bytes) else { throw bytes.count > Self.maxBytes ? Problem.tooLong : .incomplete }
        let line = bytes.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, words[2].starts(with: "HTTP/1.".utf8), words[1].first == UInt8(ascii: "/"),
            line.allSatisfy({ $0 >= 0x20 && $0 < 0x7f })
        else { throw .malformed }
        switch String(decoding: words[0], as: UTF8.self) {
        case "GET": method = .get
        case "POST": method = .post
        default: throw .method
        }
        let parts = words[1].split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        path = String(decoding: parts[0], as: UTF8.self)
        guard parts.count > 1 else { return }
        for field in parts[1].split(separator: UInt8(ascii: "&")) {
            let pair = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            parameters[try Self.decoded(pair[0])] = pair.count > 1 ? try Self.decoded(pair[1]) : ""
            if parameters.count > Self.maxParameters { throw .malformed }
        }
    }

    /// The target with its parameters, for a client.
    var target: String {
        if parameters.isEmpty { return path }
        let fields = parameters.sorted { $0.key < $1.key }.map { "\(Self.encoded($0.key))=\(Self.encoded($0.value))" }
        return path + "?" + fields.joined(separator: "&")
    }

    private static func hasEnd(_ bytes: [UInt8]) -> Bool {
        var lines = 0
        for byte in bytes.prefix(maxBytes) {
            if byte == UInt8(ascii: "\n") {
                lines += 1
                if lines == 2 { return true }
            } else if byte != UInt8(ascii: "\r") {
                lines = 0
            }
        }
        return false
    }

    /// `%41` and `+` for what they stand for (URL Standard, application/x-www-form-urlencoded).
    private static func decoded(_ text: ArraySlice<UInt8>) throws(Problem) -> String {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    throw .malformed
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16)
                result += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }
}
