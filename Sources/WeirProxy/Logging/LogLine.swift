import Logging
public import WeirConfiguration

/// The form of a line, as the configuration names it.
public typealias LogFormat = Configuration.Log.Format

/// Writes one line of the log. Values from outside (names, texts of errors) cannot break out of their field in either
/// format.
struct LogLine {
    private(set) var bytes: [UInt8] = []
    private let format: LogFormat

    /// Begins a line: time, level and message.
    init(_ format: LogFormat, time: Int64, level: Logger.Level, message: String) {
        self.format = format
        bytes.reserveCapacity(320)
        switch format {
        case .text:
            UTCTime(nanosecondsSince1970: time).write(to: &bytes)
            bytes.append(Self.space)
            bytes += Self.name(of: level).utf8
            bytes.append(Self.space)
            writeMessage(message)
        case .json:
            bytes += "{\"time\":\"".utf8
            UTCTime(nanosecondsSince1970: time).write(to: &bytes)
            bytes += "\",\"level\":\"".utf8
            bytes += Self.name(of: level).lowercased().utf8
            bytes += "\",\"message\":".utf8
            bytes.append(quoted: message)
        }
    }

    /// Adds a text.
    mutating func add(_ key: String, _ value: String) {
        begin(key)
        if format == .json || Self.needsQuotes(value) {
            bytes.append(quoted: value)
        } else {
            bytes += value.utf8
        }
    }

    /// Adds a text that a peer has chosen, of which the caller has bounded the length: whatever is not printable ASCII
    /// appears as `%0d`.
    mutating func add(_ key: String, fromPeer text: String) {
        var shown = ""
        for byte in text.utf8 {
            if (0x20..<0x7f).contains(byte) {
                shown.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                shown += (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
            }
        }
        add(key, shown)
    }

    /// Adds a yes or no.
    mutating func add(_ key: String, _ flag: Bool) {
        begin(key)
        bytes += (flag ? "true" : "false").utf8
    }

    /// Adds a number.
    mutating func add(_ key: String, _ value: UInt64) {
        begin(key)
        bytes += String(value).utf8
    }

    /// Adds a time in seconds with six decimals; as text with the unit behind it.
    mutating func add(_ key: String, nanoseconds: UInt64) {
        begin(key)
        let microseconds = nanoseconds / 1000
        let fraction = String(microseconds % 1_000_000)
        bytes += String(microseconds / 1_000_000).utf8
        bytes.append(UInt8(ascii: "."))
        bytes += repeatElement(UInt8(ascii: "0"), count: 6 - fraction.utf8.count)
        bytes += fraction.utf8
        if format == .text { bytes.append(UInt8(ascii: "s")) }
    }

    /// Ends the line.
    mutating func finish() -> [UInt8] {
        if format == .json { bytes.append(UInt8(ascii: "}")) }
        bytes.append(Self.newline)
        return bytes
    }

    // MARK: Parts

    private static let space = UInt8(ascii: " ")
    private static let newline = UInt8(ascii: "\n")

    private static func name(of level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "DEBUG"
        case .info, .notice: "INFO"
        case .warning: "WARNING"
        case .error, .critical: "ERROR"
        }
    }

    private mutating func begin(_ key: String) {
        switch format {
        case .text:
            bytes.append(Self.space)
            bytes += key.utf8
            bytes.append(UInt8(ascii: "="))
        case .json:
            bytes.append(UInt8(ascii: ","))
            bytes.append(quoted: key)
            bytes.append(UInt8(ascii: ":"))
        }
    }

    /// A message of ours in text: as it is, but on one line whatever it quotes.
    private mutating func writeMessage(_ message: String) {
        for byte in message.utf8 { bytes.append(byte < 0x20 || byte == 0x7f ? Self.space : byte) }
    }

    private static func needsQuotes(_ value: String) -> Bool {
        value.isEmpty
            || value.utf8.contains { byte in
                byte <= 0x20 || byte == 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "=")
                    || byte == UInt8(ascii: "\\")
            }
    }
}
