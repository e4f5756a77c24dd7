import LinuxIO
import Testing
import WeirStream

@testable import WeirProxy

struct LogRateLimiterTests {
    private func failure(route: UInt32 = 1, _ reason: DialFailure = .refused, id: UInt64 = 1) -> LogRecord {
        LogRecord(
            time: 0, route: route, id: id, client: nil, upstreamAddress: nil,
            fact: .dialFailed(upstream: 0, reason, nil))
    }

    private func decide(_ limiter: inout LogRateLimiter, _ record: LogRecord, at now: UInt64) throws
        -> LogRateLimiter.Decision
    {
        limiter.decide(record, kind: try #require(record.fact.repetition), now: now)
    }

    @Test("The first lines of a kind pass, the rest of its window are held back and told with the next line")
    func burst() throws {
        var limiter = LogRateLimiter()
        for _ in 0..<LogRateLimiter.burst {
            #expect(try decide(&limiter, failure(), at: 100) == .write(suppressed: 0))
        }
        for _ in 0..<3 { #expect(try decide(&limiter, failure(), at: 200) == .holdBack) }
        let later = 100 + LogRateLimiter.windowNanoseconds
        #expect(try decide(&limiter, failure(), at: later) == .write(suppressed: 3))
        #expect(try decide(&limiter, failure(), at: later) == .write(suppressed: 0))
    }

    @Test("Other routes and other reasons have their own limit")
    func independence() throws {
        var limiter = LogRateLimiter()
        for _ in 0...LogRateLimiter.burst { _ = try decide(&limiter, failure(), at: 0) }
        #expect(try decide(&limiter, failure(), at: 1) == .holdBack)
        #expect(try decide(&limiter, failure(route: 2), at: 1) == .write(suppressed: 0))
        #expect(try decide(&limiter, failure(.timeout), at: 1) == .write(suppressed: 0))
    }

    @Test("Where nothing follows, the end of the window tells of the last line that was held back")
    func expiry() throws {
        var limiter = LogRateLimiter()
        for id in 0..<UInt64(LogRateLimiter.burst + 4) { _ = try decide(&limiter, failure(id: id), at: 0) }
        var told: [(UInt64, UInt64)] = []
        limiter.expire(now: LogRateLimiter.windowNanoseconds - 1) { told.append(($0.id, $1)) }
        #expect(told.isEmpty)
        limiter.expire(now: LogRateLimiter.windowNanoseconds) { told.append(($0.id, $1)) }
        #expect(told.map(\.0) == [UInt64(LogRateLimiter.burst + 3)])
        #expect(told.map(\.1) == [3])
        #expect(limiter.nextDeadline == nil)
    }

    @Test("What is told once per connection is never limited")
    func unlimited() {
        #expect(LogRecord.Fact.opened.repetition == nil)
        #expect(LogRecord.Fact.connectionClosed(.clientEOF, LogRecord.Flow()).repetition == nil)
        #expect(LogRecord.Fact.sessionClosed(.idle, LogRecord.Flow()).repetition == nil)
    }
}
