/// The longest time that a file may ask for. Nothing here is meant to last longer, and no sum of two overflows.
let maxDuration = Duration.seconds(365 * 86_400)

/// Reads a duration in Go's style: `300ms`, `5s`, `1m30s`, `1.5h`; a bare `0` needs no unit.
///
/// Units are `ns`, `us` (also `µs`), `ms`, `s`, `m` and `h`. A sign, a space, a missing unit and anything over 365
/// days are errors; what is finer than a nanosecond is cut off.
func parseDuration(_ text: String) throws(ValueError) -> Duration {
    let example = "expected a duration such as `300ms`, `5s` or `1m30s`"
    let bytes = Array(text.utf8)
    if bytes == [UInt8(ascii: "0")] { return .zero }
    if bytes.first == UInt8(ascii: "-") { throw ValueError("\(example), found the negative \(quoted(text))") }
    if !bytes.isEmpty && bytes.allSatisfy(isDigit) {
        throw ValueError("\(example), found \(quoted(text)) without a unit", suggestion: "\(text)s")
    }
    var rest = bytes[...]
    var total = Duration.zero
    repeat {
        let whole = rest.prefix(while: isDigit)
        rest = rest[whole.endIndex...]
        var fraction: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst().prefix(while: isDigit)
            rest = rest[(rest.startIndex + 1 + fraction.count)...]
        }
        let unit = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
        rest = rest[unit.endIndex...]
        guard !(whole.isEmpty && fraction.isEmpty), !unit.isEmpty else {
            throw ValueError("\(example), found \(quoted(text))")
        }
        guard let scale = nanoseconds(ofUnit: unit) else {
            let name = quoted(String(decoding: unit, as: UTF8.self))
            throw ValueError("\(example), found the unknown unit \(name) in \(quoted(text))")
        }
        guard let part = nanoseconds(whole: whole, fraction: fraction, scale: scale) else {
            throw tooLong(text)
        }
        total += .nanoseconds(part)
        if total > maxDuration { throw tooLong(text) }
    } while !rest.isEmpty
    return total
}

private func tooLong(_ text: String) -> ValueError {
    ValueError("expected a duration of at most 365 days (8760h), found \(quoted(text))")
}

private func nanoseconds(ofUnit unit: ArraySlice<UInt8>) -> Int64? {
    switch String(decoding: unit, as: UTF8.self) {
    case "ns": 1
    // Both Unicode spellings of the micro sign, as in Go.
    case "us", "\u{b5}s", "\u{3bc}s": 1_000
    case "ms": 1_000_000
    case "s": 1_000_000_000
    case "m": 60_000_000_000
    case "h": 3_600_000_000_000
    default: nil
    }
}

/// `whole.fraction` times `scale`; nil if it is too large to count.
private func nanoseconds(whole: ArraySlice<UInt8>, fraction: ArraySlice<UInt8>, scale: Int64) -> Int64? {
    var value: Int64 = 0
    for digit in whole {
        let (shifted, firstOverflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, secondOverflow) = shifted.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
        if firstOverflow || secondOverflow { return nil }
        value = sum
    }
    let (scaled, overflow) = value.multipliedReportingOverflow(by: scale)
    if overflow { return nil }
    // Nine digits are enough: an hour has 3.6e12 ns, so a digit's worth is at most 3.6e12 and nothing here overflows.
    var part: Int64 = 0
    var worth = scale
    for digit in fraction.prefix(9) {
        part += worth * Int64(digit - UInt8(ascii: "0")) / 10
        worth /= 10
    }
    let (sum, sumOverflow) = scaled.addingReportingOverflow(part)
    return sumOverflow ? nil : sum
}

/// A duration in the style that files use, exact to the nanosecond: `1m30s`, `300ms`, `0s`.
public func durationText(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    if seconds < 0 || attoseconds < 0 { return "-" + durationText(.zero - duration) }
    let nanoseconds = attoseconds / 1_000_000_000
    if seconds == 0 && nanoseconds > 0 {
        for (unit, scale) in [("ms", Int64(1_000_000)), ("us", 1_000)] where nanoseconds % scale == 0 {
            return "\(nanoseconds / scale)\(unit)"
        }
        return "\(nanoseconds)ns"
    }
    var text = ""
    if seconds >= 3600 { text += "\(seconds / 3600)h" }
    if seconds % 3600 >= 60 { text += "\(seconds % 3600 / 60)m" }
    if seconds % 60 > 0 || nanoseconds > 0 || text.isEmpty {
        text += "\(seconds % 60)"
        if nanoseconds > 0 {
            var digits = String(nanoseconds + 1_000_000_000).dropFirst()
            while digits.last == "0" { digits.removeLast() }
            text += ".\(digits)"
        }
        text += "s"
    }
    return text
}
