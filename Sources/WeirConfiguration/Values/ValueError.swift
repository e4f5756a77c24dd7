/// Why a single value is refused. The reader of the file adds the location.
package struct ValueError: Error, Equatable {
    package let message: String
    package let suggestion: String?

    init(_ message: String, suggestion: String? = nil) {
        self.message = message
        self.suggestion = suggestion
    }
}

/// Text from outside, ready for a message: in backquotes, control characters escaped, at most 60 characters.
func quoted(_ text: String) -> String {
    if text.isEmpty { return "empty text" }
    let isLong = text.unicodeScalars.count > 60
    return "`\(escaped(String(String.UnicodeScalarView(text.unicodeScalars.prefix(60)))))\(isLong ? "…" : "")`"
}

/// The text with what would disturb a terminal or hide a part of a line escaped: control and format characters.
func escaped(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
            shown += "\\u{\(String(scalar.value, radix: 16))}"
        default:
            shown.unicodeScalars.append(scalar)
        }
    }
    return shown
}

/// `0`–`9`.
func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// `A`–`Z`, `a`–`z` or `0`–`9`: ASCII only.
func isAlphanumeric(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
}

/// The value of a hexadecimal digit of either case.
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte - UInt8(ascii: "0") }
    let lower = byte | 0x20
    guard (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(lower) else { return nil }
    return lower - UInt8(ascii: "a") + 10
}
