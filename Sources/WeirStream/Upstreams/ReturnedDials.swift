/// Counts the dials of one upstream that go back to the address from which their client comes, and refuses the one too
/// many. Confined to the worker.
///
/// Two proxies that dial each other turn one client into such dials without an end, and nothing ever answers. One
/// refusal ends that chain. Where it was none (one-way traffic of a machine to itself) it costs one client of five
/// thousand.
struct ReturnedDials {
    /// The dials in a row without any answer that are allowed within a period.
    static let maxCount = 10_000
    static let periodNanoseconds: UInt64 = 600_000_000_000

    private var count = 0
    private var since: UInt64 = 0

    /// Counts a dial. Returns whether it is allowed.
    mutating func allow(now: UInt64) -> Bool {
        if count == 0 || now - min(now, since) > Self.periodNanoseconds {
            count = 0
            since = now
        }
        count += 1
        guard count > Self.maxCount else { return true }
        count = Self.maxCount / 2
        since = now
        return false
    }

    /// The upstream has sent something, or has ended a connection: there is a server.
    mutating func noteServer() { count = 0 }
}
