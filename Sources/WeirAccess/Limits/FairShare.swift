import Synchronization

/// A route's part of a limit that all routes share: while it uses less than a sixteenth of the rate, it passes before
/// those that use more. So one route's crowd never holds up another route's few bytes. Shared by all workers, without
/// a lock.
final class FairShare: Sendable {
    private let bucket: ByteBucket
    private let state = Atomic<UInt64>(0)

    private static let sharesPerRate: UInt64 = 16

    /// The share of one route in `rate`.
    init(of rate: ByteBucket) {
        bucket = ByteBucket(bytesPerSecond: rate.bytesPerSecond / Self.sharesPerRate)
    }

    /// Whether the route has used less than its share.
    func isFavored(at now: UInt64) -> Bool { bucket.wait(state.load(ordering: .relaxed), at: now) == 0 }

    /// Notes bytes of the route. Its debt is at most a second's, so that bytes which no other route wanted are
    /// forgotten soon.
    func note(_ bytes: Int, at now: UInt64) {
        var old = state.load(ordering: .relaxed)
        while true {
            let new = min(bucket.charging(bytes, to: old, at: now), now + Self.maxDebtNanoseconds)
            let (exchanged, original) = state.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    private static let maxDebtNanoseconds: UInt64 = 1_000_000_000
}
