import Synchronization

/// Numbers as the registry keeps them: integers, in units of a ``RegistryMetricsFactory/Resolution``.
struct FixedPoint: Sendable {
    private let unitsPerOne: Int64

    init(_ resolution: RegistryMetricsFactory.Resolution) {
        unitsPerOne = resolution.unitsPerOne
    }

    /// The nearest number of units; nil for what is no number or too large.
    func units(_ value: Double) -> Int64? {
        Self.integer(scaled(value).rounded())
    }

    /// As many units; nil for what is too large.
    func units(_ value: Int64) -> Int64? {
        let (units, overflow) = value.multipliedReportingOverflow(by: unitsPerOne)
        return overflow ? nil : units
    }

    /// Units with their fraction.
    func scaled(_ value: Double) -> Double {
        value * Double(unitsPerOne)
    }

    /// Nil for what is no number and for what 64 bits cannot hold: a conversion would trap.
    static func integer(_ value: Double) -> Int64? {
        value.magnitude < 0x1p63 ? Int64(value) : nil
    }
}

/// What is left of many small additions below one unit, so that it is not lost. Wait-free but for other threads that add
/// at the same moment, of which one always gets on.
final class Remainder: Sendable {
    private let bits = Atomic<UInt64>((0.0).bitPattern)

    /// Adds units with a fraction; returns the whole units to count now, and keeps the rest, at most half a unit to either
    /// side. So what is not negative never gives less than nothing. Nil for what is no number or too large.
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

    /// Forgets what is left.
    func clear() {
        bits.store((0.0).bitPattern, ordering: .relaxed)
    }
}
