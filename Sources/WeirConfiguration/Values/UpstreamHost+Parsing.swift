import NetworkTypes

extension UpstreamHost {
    /// Reads a host name, an address, or a Unix socket; brackets may stand around an IPv6 address.
    init(configured text: String) throws(ValueError) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { throw ValueError("expected a host name or an IP address, found nothing") }
        if text.hasPrefix(UnixSocketPath.prefix) {
            self = .unix(try UnixSocketPath(configured: text, example: "unix:/run/db.sock"))
            return
        }
        if text.hasPrefix("/") {
            throw ValueError(
                "expected a host name or an IP address, found the path \(quoted(text)), which needs `unix:` in front",
                suggestion: UnixSocketPath.prefix + text)
        }
        if bytes[0] == UInt8(ascii: "[") {
            guard bytes[bytes.count - 1] == UInt8(ascii: "]") else {
                if let host = addressBeforePort(text) {
                    throw ValueError(
                        "found a port in \(quoted(text)): the target port is the second half of `port`",
                        suggestion: host)
                }
                throw ValueError("found \(quoted(text)), where the closing `]` of an IPv6 address is missing")
            }
            let written = try WrittenAddress(parsing: bytes[1..<(bytes.count - 1)])
            guard written.isIPv6 else {
                throw ValueError(
                    "found \(quoted(text)): only IPv6 addresses stand in brackets", suggestion: "\(written)")
            }
            self = .address(try written.checked())
        } else if bytes.contains(UInt8(ascii: ":")) || UpstreamHost.looksLikeIPv4(bytes) {
            do {
                self = .address(try WrittenAddress(parsing: bytes[...]).checked())
            } catch {
                throw UpstreamHost.explained(error, text: text, bytes: bytes)
            }
        } else {
            self = .name(try UpstreamHost.checkedName(bytes, text: text))
        }
    }

    /// Digits and dots only: no name is meant by that, and resolvers would read it in surprising ways (`127.1`).
    private static func looksLikeIPv4(_ bytes: [UInt8]) -> Bool {
        bytes.allSatisfy { $0 == UInt8(ascii: ".") || isDigit($0) }
    }

    /// A scheme or a port within `host` is the likely reason for a stray colon: say so.
    private static func explained(_ error: ValueError, text: String, bytes: [UInt8]) -> ValueError {
        if text.contains(text: "://") {
            return ValueError("expected a host name or an IP address, found the URL \(quoted(text))")
        }
        let halves = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        if halves.count == 2, !halves[1].isEmpty, halves[1].allSatisfy(isDigit),
            let host = try? UpstreamHost(configured: String(decoding: halves[0], as: UTF8.self))
        {
            return ValueError(
                "found a port in \(quoted(text)): the target port is the second half of `port`",
                suggestion: host.description)
        }
        if halves.count == 2 { return ValueError("expected a host name or an IP address, found \(quoted(text))") }
        return error
    }

    /// RFC 1123 labels, with `_` allowed because container names have it; a final dot is allowed.
    private static func checkedName(_ bytes: [UInt8], text: String) throws(ValueError) -> String {
        guard bytes.count <= 253 else { throw ValueError("found a host name of \(bytes.count) bytes, at most 253 fit") }
        var labelLength = 0
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: ".") {
                guard labelLength > 0 else { throw ValueError("found \(quoted(text)), which has an empty label") }
                labelLength = 0
                continue
            }
            labelLength += 1
            let inner = byte == UInt8(ascii: "-") && labelLength > 1 && index + 1 < bytes.count
            guard isAlphanumeric(byte) || byte == UInt8(ascii: "_") || inner else {
                throw ValueError("expected a host name or an IP address, found \(quoted(text))")
            }
            guard labelLength <= 63 else { throw ValueError("found \(quoted(text)), which has a label over 63 bytes") }
        }
        return text
    }
}
