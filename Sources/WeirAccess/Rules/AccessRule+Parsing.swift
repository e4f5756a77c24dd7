import NetworkTypes

extension AccessRule {
    /// Why a text is no rule.
    public struct ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        /// The expected and the found text, in one line of printable characters, with at most 60 bytes of the latter.
        public var message: String { message(maxFoundByteCount: 60) }
        /// The exact text that was probably meant.
        public let suggestion: String?
        private let before: String
        private let found: [UInt8]?
        private let after: String

        /// Takes the message in its parts: `found` is text from outside.
        init(_ before: String, found: ArraySlice<UInt8>? = nil, _ after: String = "", suggestion: String? = nil) {
            self.before = before
            self.found = found.map { Array($0) }
            self.after = after
            self.suggestion = suggestion
        }

        /// The message with fewer bytes of what was found: a file that holds no rules may hold secrets.
        func message(maxFoundByteCount: Int) -> String {
            before + (found.map { AccessRule.shown($0[...], maxByteCount: maxFoundByteCount) } ?? "") + after
        }

        /// The message with the suggestion.
        public var description: String { suggestion.map { "\(message); did you mean `\($0)`?" } ?? message }
    }

    /// The longest rule, in bytes; DNS names are the longest part that one can have.
    public static let maxTextByteCount = 260

    static let forms = "`ip:`, `cidr:`, `country:`, `tz:` or `name:`"

    /// Reads `ip:192.0.2.7`, `cidr:2001:db8::/32`, `country:DE`, `tz:Europe/Berlin` (also `timezone:`) or
    /// `name:*.example.net`. A pure function of bytes from outside: it never traps.
    public init(parsing bytes: ArraySlice<UInt8>) throws(ParseError) {
        guard bytes.count <= Self.maxTextByteCount else {
            throw ParseError("expected a rule of at most \(Self.maxTextByteCount) bytes, found \(bytes.count)")
        }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { throw Self.withoutKind(bytes) }
        let value = bytes[(colon + 1)...]
        switch String(decoding: bytes[..<colon], as: UTF8.self) {
        case "ip": self.init(.address(try Self.address(value)))
        case "cidr": self.init(.block(try Self.block(value)))
        case "country": self.init(.country(try Self.country(value)))
        case "tz", "timezone": self.init(.timezone(try Self.timezone(value)))
        case "name": self.init(.name(try Self.name(value)))
        default: throw Self.withoutKind(bytes)
        }
    }

    /// Reads a line of a list file: a rule, or only the address or block of one.
    public init(parsingBare bytes: ArraySlice<UInt8>) throws(ParseError) {
        if let first = bytes.first, Self.beginsAddress(first, bytes), let prefix = try? IPPrefix(parsing: bytes) {
            self.init(bytes.contains(UInt8(ascii: "/")) ? .block(prefix) : .address(prefix.network))
        } else {
            try self.init(parsing: bytes)
        }
    }

    /// Whether a line can be an address: no kind of rule begins with a digit, or has a second colon or a dot so early.
    private static func beginsAddress(_ first: UInt8, _ bytes: ArraySlice<UInt8>) -> Bool {
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"): true
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
            bytes.contains(UInt8(ascii: ":"))
        default: false
        }
    }

    // MARK: Values

    private static func address(_ bytes: ArraySlice<UInt8>) throws(ParseError) -> IPAddress {
        if let address = IPAddress(parsing: bytes) { return address }
        let isBlock = bytes.contains(UInt8(ascii: "/")) && (try? IPPrefix(parsing: bytes)) != nil
        throw ParseError(
            "expected an IP address behind `ip:`, found ", found: bytes,
            suggestion: isBlock ? "cidr:" + String(decoding: bytes, as: UTF8.self) : nil)
    }

    private static func block(_ bytes: ArraySlice<UInt8>) throws(ParseError) -> IPPrefix {
        let prefix: IPPrefix
        do throws(IPPrefix.ParseError) {
            prefix = try IPPrefix(parsing: bytes)
        } catch {
            switch error {
            case .malformedAddress:
                throw ParseError("expected a block such as `10.0.0.0/8` behind `cidr:`, found ", found: bytes)
            case .malformedLength(_, let range):
                throw ParseError(
                    "expected a length from \(range.lowerBound) to \(range.upperBound) behind the slash, found ",
                    found: bytes)
            case .hostBitsSet(let meant):
                throw ParseError(
                    "the address in ", found: bytes, " has bits behind the length", suggestion: "cidr:\(meant)")
            }
        }
        if bytes.contains(UInt8(ascii: "/")) { return prefix }
        throw ParseError(
            "expected a block such as `10.0.0.0/8` behind `cidr:`, found the single address ", found: bytes,
            suggestion: "ip:" + String(decoding: bytes, as: UTF8.self))
    }

    /// Codes that people write and that no database has: a deny rule of them would let everybody in.
    private static let mistaken = ["UK": "GB", "EL": "GR"]

    private static func country(_ bytes: ArraySlice<UInt8>) throws(ParseError) -> CountryCode {
        guard let code = CountryCode(bytes) else {
            throw ParseError("expected the two letters of a country such as `country:DE`, found ", found: bytes)
        }
        if let meant = mistaken[code.description] {
            throw ParseError("`\(code)` is no country code of ISO 3166-1", suggestion: "country:\(meant)")
        }
        return code
    }

    /// `Area/City`, perhaps with a third part. Every byte is checked: the name goes into logs as it is.
    private static func timezone(_ bytes: ArraySlice<UInt8>) throws(ParseError) -> String {
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isGood = (2...3).contains(parts.count) && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(isZoneByte) }
        guard isGood else {
            throw ParseError("expected a time zone such as `tz:Europe/Berlin`, found ", found: bytes)
        }
        return zoneKey(String(decoding: bytes, as: UTF8.self))
    }

    private static func name(_ bytes: ArraySlice<UInt8>) throws(ParseError) -> ServerNamePattern {
        if let pattern = ServerNamePattern(String(decoding: bytes, as: UTF8.self)) { return pattern }
        throw ParseError(
            "expected a DNS name such as `name:device-7.example.net`, or `name:*.example.net` for all below one, found ",
            found: bytes)
    }

    /// How names of time zones are compared: without case.
    static func zoneKey(_ name: String) -> String { name.lowercased() }

    private static func isZoneByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"):
            true
        default: false
        }
    }

    // MARK: Messages

    private static func withoutKind(_ bytes: ArraySlice<UInt8>) -> ParseError {
        let prefix = try? IPPrefix(parsing: bytes)
        let isBlock = bytes.contains(UInt8(ascii: "/"))
        return ParseError(
            "expected a rule that begins with \(forms), found ", found: bytes,
            suggestion: prefix.map { isBlock ? "cidr:\($0)" : "ip:\($0.network)" })
    }

    /// Text from outside for a message: in backquotes, so many bytes of it, what is not printable ASCII escaped.
    static func shown(_ bytes: ArraySlice<UInt8>, maxByteCount: Int) -> String {
        if bytes.isEmpty { return "nothing" }
        var text = ""
        for byte in bytes.prefix(maxByteCount) {
            if (0x20..<0x7f).contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return "`\(text)\(bytes.count > maxByteCount ? "…" : "")`"
    }
}

extension AccessRule: CustomStringConvertible {
    /// The rule in its canonical form: `cidr:10.0.0.0/8`.
    public var description: String {
        switch target {
        case .address(let address): "ip:\(address)"
        case .block(let prefix): "cidr:\(prefix)"
        case .country(let code): "country:\(code)"
        case .timezone(let name): "tz:\(name)"
        case .name(let pattern): "name:\(pattern)"
        }
    }
}
