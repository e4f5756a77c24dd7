/// A moment of the wall clock as RFC 3339 writes it, in UTC with milliseconds: `2026-11-22T12:57:19.042Z`.
struct UTCTime {
    let year: Int64
    let month: Int64
    let day: Int64
    let hour: Int64
    let minute: Int64
    let second: Int64
    let millisecond: Int64

    /// From nanoseconds since 1970. The days are counted by the method of Howard Hinnant, "chrono-compatible low-level
    /// date algorithms" (civil_from_days): years begin in March, so that the leap day is the last of its year.
    init(nanosecondsSince1970 nanoseconds: Int64) {
        let milliseconds = Self.floor(nanoseconds, 1_000_000)
        let seconds = Self.floor(milliseconds, 1000)
        let days = Self.floor(seconds, 86_400)
        let secondOfDay = seconds - days * 86_400
        millisecond = milliseconds - seconds * 1000
        (hour, minute, second) = (secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60)
        let shifted = days + 719_468
        let era = Self.floor(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// The day of a moment in seconds since 1970: `2026-11-22`.
    static func date(_ seconds: Int64) -> String {
        let bounded = min(max(seconds, 0), 9_000_000_000)
        var bytes: [UInt8] = []
        UTCTime(nanosecondsSince1970: bounded * 1_000_000_000).write(to: &bytes)
        return String(decoding: bytes.prefix(10), as: UTF8.self)
    }

    /// Appends the text.
    func write(to bytes: inout [UInt8]) {
        Self.write(year, digits: 4, to: &bytes)
        for (separator, value) in [("-", month), ("-", day), ("T", hour), (":", minute), (":", second)] {
            bytes += separator.utf8
            Self.write(value, digits: 2, to: &bytes)
        }
        bytes.append(UInt8(ascii: "."))
        Self.write(millisecond, digits: 3, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    private static func write(_ value: Int64, digits: Int, to bytes: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }

    private static func floor(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}
