import CLinux

/// The source of time. The system's clock never jumps with the wall clock (clock_gettime(2), `CLOCK_MONOTONIC`); tests
/// inject a clock that they advance by hand.
public struct MonotonicClock: Sendable {
    private let read: @Sendable () -> UInt64

    /// A clock that asks `read` for nanoseconds since an arbitrary start.
    public init(_ read: @escaping @Sendable () -> UInt64) {
        self.read = read
    }

    /// The kernel's clock.
    public static let system = MonotonicClock { weir_monotonic_nanoseconds() }

    /// Nanoseconds since an arbitrary start.
    public var nanoseconds: UInt64 { read() }
}
