import LinuxIO

/// A time in the form of HTTP: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
struct HTTPDate {
    /// Seconds since 1970.
    let seconds: Int

    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let secondsOfDay = 86_400

    /// The time of day.
    static var now: HTTPDate { HTTPDate(seconds: SystemTime.seconds) }

    /// Appends it, in 29 bytes for the years 0 to 9999.
    func append(to output: inout [UInt8]) {
        let days = seconds.flooredQuotient(by: Self.secondsOfDay)
        let time = seconds - days * Self.secondsOfDay
        let (year, month, day) = Self.civil(days)
        // 1970 began on a Thursday.
        output.append(ascii: Self.weekdays[days - days.flooredQuotient(by: 7) * 7])
        output.append(ascii: ", ")
        output.append(twoDigits: day)
        output.append(ascii: " ")
        output.append(ascii: Self.months[month - 1])
        output.append(ascii: " ")
        output.append(twoDigits: year / 100)
        output.append(twoDigits: year % 100)
        for (separator, part) in [(" ", time / 3600), (":", time / 60 % 60), (":", time % 60)] {
            output.append(ascii: separator)
            output.append(twoDigits: part)
        }
        output.append(ascii: " GMT")
    }

    /// Year, month and day of a number of days since 1970, in the Gregorian calendar: an era of it has 400 years and
    /// 146,097 days, and counted from March a leap day is a year's last.
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted.flooredQuotient(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Int {
    /// Rounded towards smaller numbers, also for those below zero.
    fileprivate func flooredQuotient(by divisor: Int) -> Int {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

extension [UInt8] {
    fileprivate mutating func append(twoDigits value: Int) {
        let value = value.magnitude
        append(UInt8(value / 10 % 10) + UInt8(ascii: "0"))
        append(UInt8(value % 10) + UInt8(ascii: "0"))
    }
}
