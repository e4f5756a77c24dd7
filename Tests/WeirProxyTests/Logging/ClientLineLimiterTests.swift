import LinuxIO
import NetworkTypes
import Testing
import WeirAccess

@testable import WeirProxy

struct ClientLineLimiterTests {
    private static let decision = AccessPolicy(globalDefault: .deny).decide(.loopbackIPv4, isPeer: false)

    private func record(_ number: UInt32, route: UInt32 = 1, id: UInt64 = 0) -> LogRecord {
        LogRecord(
            time: 0, route: route, id: id, client: SocketAddress(client(number), port: 1), upstreamAddress: nil,
            fact: .decided(Self.decision))
    }

    private func client(_ number: UInt32) -> IPAddress { IPAddress(high: 0, low: 0xffff_0000_0000 | UInt64(number)) }

    private func admit(
        _ limiter: inout ClientLineLimiter, _ number: UInt32, route: UInt32 = 1, action: AccessAction = .deny,
        id: UInt64 = 0, at now: UInt64
    ) -> ClientLineLimiter.Decision {
        limiter.admit(record(number, route: route, id: id), client: client(number), action: action, now: now)
    }

    @Test("The first line of a client passes, and its window ends with one line that counts the others")
    func repetitions() {
        var limiter = ClientLineLimiter()
        #expect(admit(&limiter, 1, at: 5) == .write)
        for id in UInt64(1)...4 { #expect(admit(&limiter, 1, id: id, at: 6) == .holdBack) }
        #expect(admit(&limiter, 2, at: 7) == .write)
        #expect(admit(&limiter, 1, route: 2, at: 7) == .write)
        #expect(admit(&limiter, 1, action: .allow, at: 7) == .write)
        var told: [[UInt64]] = []
        let end = 5 + ClientLineLimiter.windowNanoseconds
        #expect(limiter.nextDeadline == end)
        limiter.expire(now: end - 1) { told.append([$0.id, $1]) }
        #expect(told.isEmpty)
        limiter.expire(now: end) { told.append([$0.id, $1]) }
        #expect(told == [[4, 3]])
        #expect(admit(&limiter, 1, at: end) == .write)
        #expect(admit(&limiter, 2, at: end) == .holdBack)
    }

    @Test("Over all clients a second has a bound of lines, and as many clients are remembered as had a line")
    func bound() {
        var limiter = ClientLineLimiter()
        let most = ClientLineLimiter.maxLinesPerSecond
        var (written, dropped) = (0, 0)
        for number in 0..<UInt32(54_000) {
            switch admit(&limiter, number, at: 1_000) {
            case .write: written += 1
            case .drop: dropped += 1
            case .holdBack: Issue.record("each client is another one")
            }
        }
        #expect(written == most && dropped == 54_000 - most)
        #expect(limiter.count == most)
        // A client whose line was dropped has its first line as soon as there is room.
        #expect(admit(&limiter, 53_999, at: 1_000_001_000) == .write)
    }

    @Test("Ends of windows keep the bound, too, and come as soon as it allows")
    func boundOfEnds() {
        var limiter = ClientLineLimiter()
        let most = ClientLineLimiter.maxLinesPerSecond
        for second in UInt64(0)..<3 {
            for number in 0..<UInt32(most) {
                let client = UInt32(second) * 10_000 + number
                #expect(admit(&limiter, client, at: second * 1_000_000_000) == .write)
                #expect(admit(&limiter, client, at: second * 1_000_000_000) == .holdBack)
            }
        }
        var told = 0
        let end = ClientLineLimiter.windowNanoseconds + 5_000_000_000
        limiter.expire(now: end) { _, _ in told += 1 }
        #expect(told == most)
        #expect(limiter.nextDeadline == end + 1_000_000_000)
        limiter.expire(now: end + 1_000_000_000) { _, _ in told += 1 }
        limiter.expire(now: end + 2_000_000_000) { _, _ in told += 1 }
        #expect(told == 3 * most)
        #expect(limiter.count == 0 && limiter.nextDeadline == nil)
    }

    @Test("The end of a route, or of the log, tells of all that was held back")
    func ends() {
        var limiter = ClientLineLimiter()
        for route in UInt32(1)...2 {
            for _ in 0..<3 { _ = admit(&limiter, 1, route: route, at: 0) }
        }
        var told: [[UInt64]] = []
        limiter.forget([1]) { told.append([UInt64($0.route), $1]) }
        #expect(told == [[1, 1]])
        limiter.end { told.append([UInt64($0.route), $1]) }
        #expect(told == [[1, 1], [2, 1]])
        #expect(limiter.count == 0)
    }
}
