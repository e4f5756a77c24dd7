/// Reads `10/s`, `600/m`, `5/h`, or `10` for `10/s`. The count is 1 to 1,000,000.
func parseRate(_ text: String) throws(ValueError) -> (count: Int, period: Duration) {
    let expected = "a rate such as `10/s`, `600/m` or `5/h`"
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var digits = parts[0]
    // As nginx writes it.
    if digits.hasSuffix("r"), digits.dropLast().utf8.allSatisfy(isDigit) {
        let plain = String(digits.dropLast()) + (parts.count == 2 ? "/" + parts[1] : "/s")
        throw ValueError("expected \(expected), found \(quoted(text))", suggestion: plain)
    }
    let period: Duration
    switch parts.count == 2 ? parts[1] : "s" {
    case "s", "sec", "second": period = .seconds(1)
    case "m", "min", "minute": period = .seconds(60)
    case "h", "hour": period = .seconds(3600)
    default: throw ValueError("expected \(expected), found \(quoted(text))")
    }
    if digits.isEmpty { digits = "?" }
    do {
        return (try parseCount(digits, in: 1...1_000_000, expected: expected), period)
    } catch {
        throw ValueError("expected \(expected), 1 to 1000000 in that time, found \(quoted(text))")
    }
}

/// Reads bytes a second: `10MB/s`, `512KiB/s`, `1.5MB`, with or without `/s`; a bare number is bytes. 1,000 to 100 GB.
func parseByteRate(_ text: String) throws(ValueError) -> Int {
    let expected = "bytes a second such as `10MB/s` or `512KiB/s`"
    let size = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
    let bytes = Array(size.utf8)
    let whole = bytes.prefix(while: isDigit)
    var rest = bytes[whole.endIndex...]
    var fraction: ArraySlice<UInt8> = []
    if rest.first == UInt8(ascii: ".") {
        fraction = rest.dropFirst().prefix(while: isDigit)
        rest = rest[(rest.startIndex + 1 + fraction.count)...]
        if fraction.isEmpty { throw ValueError("expected \(expected), found \(quoted(text))") }
    }
    let unit = String(decoding: rest, as: UTF8.self)
    guard !whole.isEmpty, whole.count <= 12, fraction.count <= 3 else {
        throw ValueError("expected \(expected), found \(quoted(text))")
    }
    guard let scale = byteScales[unit] else {
        let number = String(decoding: bytes[..<rest.startIndex], as: UTF8.self)
        if unit.lowercased().contains(text: "bit") || unit.hasSuffix("bps") {
            throw ValueError("expected \(expected), found \(quoted(text)): Weir counts bytes, and a byte is 8 bits")
        }
        let lower = unit.lowercased()
        let suggestion = byteUnits.first { $0.lowercased() == lower || $0.lowercased() == lower + "b" }
        throw ValueError(
            "expected \(expected), found \(quoted(text))", suggestion: suggestion.map { "\(number)\($0)/s" })
    }
    var value = whole.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    let (scaled, overflow) = value.multipliedReportingOverflow(by: scale)
    value = overflow ? .max : scaled
    var worth = scale
    for digit in fraction where value < .max / 2 {
        value += worth * Int(digit - UInt8(ascii: "0")) / 10
        worth /= 10
    }
    guard (1_000...100_000_000_000).contains(value) else {
        throw ValueError("expected \(expected), at least 1KB/s and at most 100GB/s, found \(quoted(text))")
    }
    return value
}

private let byteUnits = ["B", "KB", "KiB", "MB", "MiB", "GB", "GiB"]

private let byteScales: [String: Int] = [
    "": 1, "B": 1, "kB": 1_000, "KB": 1_000, "KiB": 1 << 10, "MB": 1_000_000, "MiB": 1 << 20, "GB": 1_000_000_000,
    "GiB": 1 << 30,
]

/// Bytes a second in the largest unit that says them exactly: `10MB/s`.
func byteRateText(_ rate: Int) -> String {
    let decimals: [(String, Int)] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)]
    let binaries: [(String, Int)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    let unit = (decimals + binaries).first { rate >= $0.1 && rate % $0.1 == 0 } ?? ("B", 1)
    return "\(rate / unit.1)\(unit.0)/s"
}
