import CLinux

/// The source of time. The system's clock never jumps with the wall clock (clock_gettime(2), `CLOCK_MONOTONIC`); tests
/// inject a clock that they advance by hand.
public struct MonotonicClock: Sendable {
    private let read: @Sendable () -> UInt64
    /// Whether an ``EventLoop`` takes a jump of the clock for time in which the process stood still.
    let showsStandstill: Bool

    /// A clock that asks `read` for nanoseconds since an arbitrary start. Where a test advances it by hand, its jumps
    /// are no standstill unless `showsStandstill` is true.
    public init(showsStandstill: Bool = false, _ read: @escaping @Sendable () -> UInt64) {
        self.read = read
        self.showsStandstill = showsStandstill
    }

    /// The kernel's clock.
    public static let system = MonotonicClock(showsStandstill: true) { weir_monotonic_nanoseconds() }

    /// Nanoseconds since an arbitrary start.
    public var nanoseconds: UInt64 { read() }
}
