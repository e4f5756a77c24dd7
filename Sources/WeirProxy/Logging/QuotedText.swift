extension [UInt8] {
    /// Appends a text as a JSON string (RFC 8259 section 7), its quotes included. Lines of the log quote in the same
    /// way.
    mutating func append(quoted text: String) {
        append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case UInt8(ascii: "\n"): self += "\\n".utf8
            case UInt8(ascii: "\r"): self += "\\r".utf8
            case UInt8(ascii: "\t"): self += "\\t".utf8
            case 0..<0x20, 0x7f:
                let digits = String(byte, radix: 16)
                self += (digits.utf8.count == 1 ? "\\u000" : "\\u00").utf8
                self += digits.utf8
            default: append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }
}
