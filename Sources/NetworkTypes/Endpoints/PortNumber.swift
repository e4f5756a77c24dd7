/// The text of a port: decimal digits without sign, space or leading zero, up to 65535.
public enum PortNumber {
    /// Why a text is no port.
    public enum ParseError: Error, Hashable, Sendable {
        /// Something else than digits, nothing at all, or more than 65535.
        case malformed
        /// The port with zeros in front, which other programs read as octal.
        case leadingZeros(UInt16)
    }

    /// Reads a port; 0 is one.
    public static func parse(_ digits: ArraySlice<UInt8>) throws(ParseError) -> UInt16 {
        guard !digits.isEmpty else { throw .malformed }
        let significant = digits.drop { $0 == UInt8(ascii: "0") }
        var number = 0
        for digit in significant {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9"), number <= Int(UInt16.max) else {
                throw .malformed
            }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        guard let port = UInt16(exactly: number) else { throw .malformed }
        guard digits.count == 1 || digits.first != UInt8(ascii: "0") else { throw .leadingZeros(port) }
        return port
    }

    /// Reads what ``parse(_:)`` reads; nil where the text is no port.
    public static func parse(_ text: some StringProtocol) -> UInt16? {
        do throws(ParseError) {
            return try parse(Array(text.utf8)[...])
        } catch {
            return nil
        }
    }
}
