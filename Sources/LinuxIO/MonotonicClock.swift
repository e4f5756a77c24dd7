import CLinux

/// Where time comes from. The real one never jumps with the wall clock (clock_gettime(2), `CLOCK_MONOTONIC`); tests
/// put their own in its place and turn it by hand.
public struct MonotonicClock: Sendable {
    private let read: @Sendable () -> UInt64

    /// A clock that asks `read` for nanoseconds since an arbitrary start.
    public init(_ read: @escaping @Sendable () -> UInt64) {
        self.read = read
    }

    /// The kernel's.
    public static let system = MonotonicClock { weir_monotonic_nanoseconds() }

    /// Nanoseconds since an arbitrary start.
    public var nanoseconds: UInt64 { read() }
}

extension Duration {
    /// Whole nanoseconds, clamped to what 64 bits hold; negative durations are 0.
    public var clampedNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return .max }
        let (sum, carry) = product.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
        return carry ? .max : sum
    }
}
