import Glibc
import LinuxIO
import Logging
import TestSupport
import Testing
import WeirStream

@testable import WeirProxy

/// A pipe whose reading end is read only on request.
private final class Pipe: Sendable {
    let readEnd: Int32
    let writeEnd: Int32

    init() throws {
        var numbers: [Int32] = [0, 0]
        try #require(pipe(&numbers) == 0)
        (readEnd, writeEnd) = (numbers[0], numbers[1])
        _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// Returns the bytes that are in it now.
    func take() -> String {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(readEnd, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }
}

private func opened(_ route: UInt32, id: UInt64) -> LogRecord {
    LogRecord(time: 0, route: route, id: id, client: nil, upstreamAddress: nil, fact: .opened)
}

private let route = LogRoute(name: "a", transport: "tcp", listen: "tcp://*:1", upstreams: ["b:2"])

struct LogOutputTests {
    @Test("Records and lines come out in order, and closing writes what is queued")
    func writing() throws {
        let pipe = try Pipe()
        let log = try LogOutput(descriptor: pipe.writeEnd, shardCount: 1)
        let number = log.routes.insert(route)
        for id in 1...3 { log.record(opened(number, id: UInt64(id)), shard: 0) }
        log.close(within: .seconds(10))
        let lines = pipe.take().split(separator: "\n")
        #expect(lines.count == 3)
        for (index, line) in lines.enumerated() { #expect(line.hasSuffix("action=accept id=\(index + 1)")) }
        #expect(log.droppedLines == 0)
    }

    @Test("Lines of all queues are in the order of their times")
    func order() throws {
        let log = try LogOutput(descriptor: 2, shardCount: 2, startsThread: false)
        let number = log.routes.insert(route)
        log.write(line: Array("between\n".utf8))
        let late: Int64 = 4_000_000_000_000_000_000
        for (shard, id, time) in [(0, 3, late), (1, 1, 1), (0, 4, late), (1, 2, 2)] as [(Int, UInt64, Int64)] {
            var record = opened(number, id: id)
            record.time = time
            log.record(record, shard: shard)
        }
        var drain = LogDrain()
        log.collect(into: &drain)
        let lines = String(decoding: drain.bytes, as: UTF8.self).split(separator: "\n").map { $0.suffix(7) }
        #expect(lines == ["pt id=1", "pt id=2", "between", "pt id=3", "pt id=4"])
    }

    @Test("The last line is behind all others")
    func lastLine() throws {
        let pipe = try Pipe()
        let log = try LogOutput(descriptor: pipe.writeEnd, shardCount: 1)
        let number = log.routes.insert(route)
        for id in 1...20 { log.record(opened(number, id: UInt64(id)), shard: 0) }
        log.close(within: .seconds(10), lastLine: Array("last\n".utf8))
        let lines = pipe.take().split(separator: "\n")
        #expect(lines.count == 21 && lines.last == "last")
    }

    @Test("A line is written soon, without anything that follows it")
    func promptness() throws {
        let pipe = try Pipe()
        let log = try LogOutput(descriptor: pipe.writeEnd, shardCount: 1)
        defer { log.close(within: .seconds(10)) }
        let number = log.routes.insert(route)
        var text = ""
        log.record(opened(number, id: 1), shard: 0)
        try waitUntil("the first line is out") {
            text += pipe.take()
            return text.contains("id=1")
        }
        log.record(opened(number, id: 2), shard: 0)
        try waitUntil("the second line is out") {
            text += pipe.take()
            return text.contains("id=2")
        }
    }

    @Test("Without a reader of standard output no caller waits, and lines that do not fit are counted")
    func stuckPipe() throws {
        let pipe = try Pipe()
        let log = try LogOutput(descriptor: pipe.writeEnd, shardCount: 1)
        let number = log.routes.insert(route)
        let total = 40_000
        let start = ContinuousClock.now
        for id in 0..<total { log.record(opened(number, id: UInt64(id)), shard: 0) }
        #expect(log.droppedLines > 0)
        log.close(within: .milliseconds(100))
        #expect(ContinuousClock.now - start < .seconds(5))
        // Let the thread go on and end.
        var text = ""
        try waitUntil("the thread has written what it had") {
            text += pipe.take()
            return text.split(separator: "\n").count + Int(log.droppedLines) >= total
        }
        #expect(text.split(separator: "\n").count + Int(log.droppedLines) == total)
    }

    @Test("A full ring drops and goes on when it was emptied")
    func ring() {
        let ring = LogRing(capacity: 4)
        for id in 0..<4 { #expect(ring.push(opened(1, id: UInt64(id)))) }
        #expect(!ring.push(opened(1, id: 4)))
        #expect(ring.pop()?.id == 0)
        #expect(ring.push(opened(1, id: 5)))
        #expect((1...4).map { _ in ring.pop()?.id } == [1, 2, 3, 5])
        #expect(ring.pop() == nil && ring.isEmpty)
    }

    @Test("A ring keeps the order between two threads")
    func ringThreads() throws {
        let ring = LogRing(capacity: 64)
        let total: UInt64 = 200_000
        try Thread.start {
            var next: UInt64 = 0
            while next < total {
                if ring.push(opened(1, id: next)) { next += 1 } else { sched_yield() }
            }
        }
        var expected: UInt64 = 0
        try waitUntil("everything has come", deadline: .seconds(60)) {
            // The writer is never far behind: a pause for each filling of the ring would take most of the time.
            for _ in 0..<10_000 {
                while let record = ring.pop() {
                    guard record.id == expected else { throw DeadlineExceeded(description: "out of order") }
                    expected += 1
                }
                if expected == total { return true }
                sched_yield()
            }
            return false
        }
    }

    @Test("A retired route still names what was queued before, and is forgotten then")
    func retiredRoutes() throws {
        let log = try LogOutput(descriptor: 1, shardCount: 1, startsThread: false)
        let number = log.routes.insert(route)
        log.record(opened(number, id: 7), shard: 0)
        log.routes.retire(number)
        var drain = LogDrain()
        log.collect(into: &drain)
        #expect(drain.lines == 1)
        #expect(log.routes.count == 0)
    }

    @Test("Repeated failures are limited on their way out, with the clock that was given")
    func limitedFailures() throws {
        let clock = MonotonicClock { 5 }
        let log = try LogOutput(descriptor: 1, shardCount: 1, clock: clock, startsThread: false)
        let number = log.routes.insert(route)
        for _ in 0..<100 {
            log.record(
                LogRecord(
                    time: 0, route: number, id: 0, client: nil, upstreamAddress: nil,
                    fact: .dialFailed(upstream: 0, .refused, nil)), shard: 0)
        }
        var drain = LogDrain()
        log.collect(into: &drain)
        #expect(drain.lines == UInt64(LogRateLimiter.burst))
        drain.expire(format: .text, now: 5 + LogRateLimiter.windowNanoseconds)
        #expect(drain.lines == UInt64(LogRateLimiter.burst) + 1)
        #expect(String(decoding: drain.bytes, as: UTF8.self).hasSuffix(" suppressed=94\n"))
    }

    @Test("swift-log's fields come out with the agreed ones first, and only from the level on")
    func handler() throws {
        let pipe = try Pipe()
        let log = try LogOutput(descriptor: pipe.writeEnd, shardCount: 0, level: .info)
        let logger = Logger(label: "test") { _ in WeirLogHandler(log) }
        logger.debug("not this")
        logger.info("stream started", metadata: ["action": "start", "zebra": "1", "route": "a b", "apple": "2"])
        log.close(within: .seconds(10))
        let text = pipe.take()
        #expect(text.hasSuffix(" INFO stream started route=\"a b\" action=start apple=2 zebra=1\n"))
    }
}
