import Synchronization

/// Numbers as the registry keeps them: integers, in units of a ``RegistryMetricsFactory/Resolution``.
struct FixedPoint: Sendable {
    private let unitsPerOne: Int64

    init(_ resolution: RegistryMetricsFactory.Resolution) {
        unitsPerOne = resolution.unitsPerOne
    }

    /// The nearest number of units; nil if the value is not a number or too large.
    func units(_ value: Double) -> Int64? {
        Self.integer(scaled(value).rounded())
    }

    /// The value in units; nil if it is too large.
    func units(_ value: Int64) -> Int64? {
        let (units, overflow) = value.multipliedReportingOverflow(by: unitsPerOne)
        return overflow ? nil : units
    }

    /// Units with their fraction.
    func scaled(_ value: Double) -> Double {
        value * Double(unitsPerOne)
    }

    /// The value as an integer; nil if it is not a number or exceeds 64 bits, where a conversion would trap.
    static func integer(_ value: Double) -> Int64? {
        value.magnitude < 0x1p63 ? Int64(value) : nil
    }
}

/// The remainder of additions that are smaller than one unit, so that it is not lost. Lock-free: of threads that add at
/// the same moment, one always succeeds.
final class Remainder: Sendable {
    private let bits = Atomic<UInt64>((0.0).bitPattern)

    /// Adds units with a fraction; returns the whole units to count now, and keeps the rest, at most half a unit to
    /// either side. Amounts that are not negative never return a negative number. Nil if the sum is not a number or too
    /// large.
    func carry(_ units: Double) -> Int64? {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let sum = Double(bitPattern: seen) + units
            guard let whole = FixedPoint.integer(sum.rounded(.toNearestOrEven)) else { return nil }
            let rest = (sum - Double(whole)).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: seen, desired: rest, ordering: .relaxed)
            if exchanged { return whole }
            seen = original
        }
    }

    /// Discards the remainder.
    func clear() {
        bits.store((0.0).bitPattern, ordering: .relaxed)
    }
}
