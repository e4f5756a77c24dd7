/// Turns the bytes of a file into text that YAML can be read from, or notes why that is not possible, with the location
/// of the first byte that is wrong. A byte order mark is skipped.
func decodeText(_ bytes: [UInt8], diagnostics: FileDiagnostics) -> String? {
    var input = bytes[...]
    if input.starts(with: [0xef, 0xbb, 0xbf]) { input = input.dropFirst(3) }
    var decoder = UTF8Decoder(input)
    var line = 1
    var column = 1
    var previous: Unicode.Scalar = " "
    while let step = decoder.next() {
        let location = SourceLocation(line: line, column: column)
        guard case .scalar(let scalar) = step else {
            diagnostics.error(location, "expected UTF-8 text, found the byte \(hexadecimal(UInt32(decoder.byte)))")
            return nil
        }
        guard isAllowedInYAML(scalar) else {
            diagnostics.error(
                location, "found the control character \(hexadecimal(scalar.value)), which YAML does not allow")
            return nil
        }
        // Line ends as YAML counts them: CR LF is one.
        switch scalar {
        case "\n" where previous == "\r": break
        case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": (line, column) = (line + 1, 1)
        default: column += 1
        }
        previous = scalar
    }
    return String(decoding: input, as: UTF8.self)
}

private func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return "0x" + (digits.count < 2 ? "0" : "") + digits
}

/// YAML 1.1, section 4.1: the printable characters.
private func isAllowedInYAML(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0a, 0x0d, 0x20...0x7e, 0x85, 0xa0...0xd7ff, 0xe000...0xfefe, 0xff00...0xfffd: true
    case 0x1_0000...0x10_ffff: true
    default: false
    }
}

/// A strict UTF-8 decoder that knows which byte is the first wrong one.
private struct UTF8Decoder {
    enum Step {
        case scalar(Unicode.Scalar)
        case invalid
    }

    private var rest: ArraySlice<UInt8>
    /// The first byte of the latest step.
    private(set) var byte: UInt8 = 0

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    mutating func next() -> Step? {
        guard let first = rest.popFirst() else { return nil }
        byte = first
        if first < 0x80 { return .scalar(Unicode.Scalar(first)) }
        let (length, smallest): (Int, UInt32)
        switch first {
        case 0xc2...0xdf: (length, smallest) = (1, 0x80)
        case 0xe0...0xef: (length, smallest) = (2, 0x800)
        case 0xf0...0xf4: (length, smallest) = (3, 0x1_0000)
        default: return .invalid
        }
        var value = UInt32(first) & (0x3f >> UInt32(length))
        for _ in 0..<length {
            guard let byte = rest.first, byte & 0xc0 == 0x80 else { return .invalid }
            rest.removeFirst()
            value = value << 6 | UInt32(byte & 0x3f)
        }
        guard value >= smallest, let scalar = Unicode.Scalar(value) else { return .invalid }
        return .scalar(scalar)
    }
}
