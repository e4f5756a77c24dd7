import TestSupport
import Testing

@testable import WeirConfiguration

@Suite("Durations") struct DurationTests {
    @Test(
        "Go's style is read exactly",
        arguments: [
            ("0", Duration.zero), ("0s", .zero), ("300ms", .milliseconds(300)), ("5s", .seconds(5)),
            ("1m30s", .seconds(90)), ("1.5h", .seconds(5400)), (".5s", .milliseconds(500)), ("1.s", .seconds(1)),
            ("10us", .microseconds(10)), ("10µs", .microseconds(10)), ("10μs", .microseconds(10)),
            ("7ns", .nanoseconds(7)), ("1h2m3s4ms", .milliseconds(3_723_004)), ("8760h", .seconds(365 * 86_400)),
            ("0.000000001s", .nanoseconds(1)), ("0.0000000001s", .zero),
        ])
    func readsDuration(text: String, expected: Duration) throws {
        #expect(try parseDuration(text) == expected)
    }

    @Test(
        "What is no duration is refused",
        arguments: [
            "", "s", "5", "-5s", "+5s", "5 s", "5x", "5d", "1m30", "abc", ".", ".s", "5s ", "1e3s", "٥s", "8760h1ns",
            "99999999999999999999s", "9223372036854775807h", "9223372036854775807ns1h", "5S",
        ])
    func refusesDuration(text: String) {
        #expect(refusal { () throws(ValueError) in try parseDuration(text) } != nil)
    }

    @Test("A missing unit is suggested")
    func suggestsUnit() {
        #expect(
            throws: ValueError(
                "expected a duration such as `300ms`, `5s` or `1m30s`, found `5` without a unit", suggestion: "5s")
        ) { try parseDuration("5") }
    }

    @Test("A printed duration reads back as itself")
    func roundTrips() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2_000 {
            let scale = [1, 1_000, 1_000_000, 1_000_000_000, 60_000_000_000].randomElement(using: &generator) ?? 1
            let duration = Duration.nanoseconds(Int64.random(in: 0...500_000, using: &generator) * Int64(scale))
            #expect(try parseDuration(durationText(duration)) == duration)
        }
        #expect(durationText(.seconds(90)) == "1m30s")
        #expect(durationText(.milliseconds(1500)) == "1.5s")
        #expect(durationText(.zero) == "0s")
        #expect(durationText(.seconds(-5)) == "-5s")
    }
}
