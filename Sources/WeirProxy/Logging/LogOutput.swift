import Glibc
public import LinuxIO
public import Logging
import Synchronization
import Threading
public import WeirConfiguration

/// The log of the process: takes records from workers and lines from other threads, and writes them on a thread of its
/// own. Callers never wait: queues are bounded, and ``droppedLines`` counts the lines that did not fit.
public final class LogOutput: Sendable {
    /// A line that is not a worker's record: of the control plane and of other threads.
    private enum Item {
        /// A line with its time, in nanoseconds since 1970.
        case line([UInt8], Int64)
        case record(LogRecord)

        var time: Int64 {
            switch self {
            case .line(_, let time): time
            case .record(let record): record.time
            }
        }
    }

    /// The line that is written after all others.
    private let lastLine = Lock<[UInt8]?>(nil)

    private let descriptor: CInt
    /// Owns the descriptor, where it is not the process's own.
    private let file: LogFile?
    private let clock: MonotonicClock
    private let rings: [LogRing]
    private let others = Lock<[Item]>([])
    let routes = LogRouteTable()
    /// The last events for people, whatever level the log has.
    let events = EventRecorder()
    private let levelValue: Atomic<UInt8>
    private let writesJSON: Atomic<Bool>
    private let dropped: LogDrops
    private let isAwake = Atomic<Bool>(true)
    private let isClosing = Atomic<Bool>(false)
    private let wakeup: EventSignal
    private let finished: EventSignal

    /// Records of one worker that may wait.
    static let ringCapacity = 4096
    /// Records of all workers that one round takes.
    private static let maxBatch = 8192
    /// Lines of all other threads together that may wait.
    static let maxOthers = 4096
    /// After writing, the thread rests this long, so that busy workers do not wake it for each record.
    private static let rest = Duration.milliseconds(20)
    private static let maxSleep = Duration.seconds(60)

    /// A log that writes to `descriptor` (standard output) for `shardCount` workers, and starts its thread.
    public convenience init(
        descriptor: CInt = 1, shardCount: Int, level: Logger.Level = .info, format: LogFormat = .text,
        clock: MonotonicClock = .system, startsThread: Bool = true
    ) throws(SystemError) {
        try self.init(
            descriptor, file: nil, shardCount: shardCount, level: level, format: format, clock: clock,
            startsThread: startsThread)
    }

    /// A log that appends to a file, whatever level its lines have. It looks like the one beside it, and what both
    /// throw away is one number.
    convenience init(file: LogFile, shardCount: Int, beside log: LogOutput) throws(SystemError) {
        try self.init(
            file.number, file: file, shardCount: shardCount, level: .trace, format: log.format, clock: log.clock,
            startsThread: true, dropped: log.dropped)
    }

    private init(
        _ descriptor: CInt, file: LogFile?, shardCount: Int, level: Logger.Level, format: LogFormat,
        clock: MonotonicClock, startsThread: Bool, dropped: LogDrops = LogDrops()
    ) throws(SystemError) {
        self.dropped = dropped
        wakeup = try EventSignal()
        finished = try EventSignal()
        self.descriptor = descriptor
        self.file = file
        self.clock = clock
        rings = (0..<shardCount).map { _ in LogRing(capacity: Self.ringCapacity) }
        levelValue = Atomic(Self.number(of: level))
        writesJSON = Atomic(format == .json)
        if startsThread { try Thread.start(name: "weir-log") { [self] in run() } }
    }

    // MARK: Settings

    /// The least severe level that is written. Any thread.
    public var level: Logger.Level {
        get { Logger.Level.allCases[Int(levelValue.load(ordering: .relaxed))] }
        set { levelValue.store(Self.number(of: newValue), ordering: .relaxed) }
    }

    /// How lines look. Any thread.
    public var format: LogFormat {
        get { writesJSON.load(ordering: .relaxed) ? .json : .text }
        set { writesJSON.store(newValue == .json, ordering: .relaxed) }
    }

    /// Whether lines of this level are written: ask before making one.
    @inline(__always)
    public func isEnabled(_ level: Logger.Level) -> Bool {
        Self.number(of: level) >= levelValue.load(ordering: .relaxed)
    }

    /// Whether records of this level are taken: those that are written, and those that are events for people.
    @inline(__always)
    func takes(_ level: Logger.Level) -> Bool {
        Self.number(of: level) >= min(levelValue.load(ordering: .relaxed), Self.number(of: .warning))
    }

    /// Lines that were thrown away: queues were full, or the descriptor could not be written to.
    public var droppedLines: UInt64 { dropped.value }

    private static func number(of level: Logger.Level) -> UInt8 {
        switch level {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        case .critical: 6
        }
    }

    // MARK: Producers

    /// Queues a worker's record, on that worker's thread.
    func record(_ record: LogRecord, shard: Int) {
        if rings[shard].push(record) {
            wake()
        } else {
            dropped.add(1)
        }
    }

    /// Queues a record from any other thread.
    func record(_ record: LogRecord) {
        append(.record(record))
    }

    /// Queues a finished line from any thread but a worker's.
    func write(line: [UInt8]) {
        append(.line(line, WallClock.nanoseconds))
    }

    /// A line of this text at the level `info`, as it would be written now; nil where that is not logged.
    func line(_ text: String) -> [UInt8]? {
        guard isEnabled(.info) else { return nil }
        var line = LogLine(format, time: WallClock.nanoseconds, level: .info, message: text)
        return line.finish()
    }

    private func append(_ item: Item) {
        let isTaken = others.withLock { items in
            guard items.count < Self.maxOthers else { return false }
            items.append(item)
            return true
        }
        if isTaken {
            wake()
        } else {
            dropped.add(1)
        }
    }

    private func wake() {
        // Sequentially consistent with the store in `run`: a caller that reads `true` here has queued before the
        // thread's last look at the queues.
        if isAwake.exchange(true, ordering: .sequentiallyConsistent) == false { wakeup.signal() }
    }

    // MARK: Consumer

    /// Writes out the queued lines and ends the thread. Waits for that at most `limit`, because standard output may be
    /// a pipe without a reader.
    public func close(within limit: Duration) { close(within: limit, lastLine: nil) }

    /// The same; `lastLine` follows all that is queued.
    func close(within limit: Duration, lastLine line: [UInt8]?) {
        if let line { lastLine.withLock { $0 = line } }
        isClosing.store(true, ordering: .sequentiallyConsistent)
        wakeup.signal()
        finished.wait(within: limit)
    }

    private func run() {
        var drain = LogDrain()
        var writer = LineWriter()
        while true {
            let isLast = isClosing.load(ordering: .sequentiallyConsistent)
            switch drainOnce(into: &drain, writer: &writer, isLast: isLast) {
            case .more: continue
            case .all:
                // Rests with `isAwake` still set: records queue up meanwhile without a system call each.
                if !isLast { wakeup.wait(within: Self.rest) }
                continue
            case .nothing: break
            }
            if isLast {
                writeLastLine(&writer)
                break
            }
            isAwake.store(false, ordering: .sequentiallyConsistent)
            if isQueueEmpty { wakeup.wait(within: sleepTime(drain)) }
            isAwake.store(true, ordering: .sequentiallyConsistent)
        }
        finished.signal()
    }

    private func writeLastLine(_ writer: inout LineWriter) {
        guard let line = lastLine.withLock({ $0 }) else { return }
        dropped.add(writer.write(line) { LineWriter.writeAll($0, to: descriptor) })
    }

    /// The outcome of a round.
    private enum Round {
        /// All that was queued is written.
        case all
        /// There was more than one round takes.
        case more
        /// There was nothing to write.
        case nothing
    }

    /// Takes what is queued and writes it.
    private func drainOnce(into drain: inout LogDrain, writer: inout LineWriter, isLast: Bool) -> Round {
        let isEmptied = collect(into: &drain, isLast: isLast)
        if drain.bytes.isEmpty { return isEmptied ? .nothing : .more }
        var lost: UInt64 = 0
        if let file, let start = file.takeReplacement() {
            lost += writer.forgetRest()
            if start == .amidLine { _ = LineWriter.writeAll([UInt8(ascii: "\n")], to: descriptor) }
        }
        lost += writer.write(drain.bytes) { LineWriter.writeAll($0, to: descriptor) }
        if lost > 0 { dropped.add(lost) }
        drain.removeWritten()
        return isEmptied ? .all : .more
    }

    /// Makes lines of what is queued. Returns whether that was all.
    @discardableResult
    func collect(into drain: inout LogDrain, isLast: Bool = false) -> Bool {
        let (known, leaving) = routes.snapshot()
        drain.setRoutes(known)
        let format = format
        let now = isLast ? UInt64.max : clock.nanoseconds
        // Lines of all queues in the order of their times, so that none is written before an earlier one.
        var batch: [Item] = []
        var horizon = Int64.max
        var isEmptied = true
        for ring in rings {
            var left = max(Self.maxBatch / rings.count, 64)
            while left > 0, let record = ring.pop() {
                batch.append(.record(record))
                left -= 1
                // A later record may still be in this queue: lines behind the last one taken wait for it.
                if left == 0 { horizon = min(horizon, record.time) }
            }
            if left == 0 { isEmptied = false }
        }
        batch += others.withLock { items in
            let taken = items.filter { $0.time <= horizon }
            items.removeAll { $0.time <= horizon }
            return taken
        }
        for item in Self.ordered(batch) {
            switch item {
            case .line(let bytes, _): drain.add(line: bytes)
            case .record(let record):
                if record.fact.level >= .warning {
                    if let route = known[record.route] { events.note(record, of: route) }
                    guard isEnabled(record.fact.level) else { continue }
                }
                drain.add(record, format: format, now: min(now, clock.nanoseconds))
            }
        }
        drain.expire(format: format, now: now)
        dropped.add(drain.takeDropped())
        // Whatever was queued before the snapshot is through now, or else the numbers leave in a later round.
        if isEmptied {
            drain.forget(leaving, format: format)
            routes.forget(leaving)
        } else {
            for number in leaving { routes.retire(number) }
        }
        return isEmptied
    }

    /// The items by time; equal times keep their order.
    private static func ordered(_ items: [Item]) -> [Item] {
        items.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
    }

    private var isQueueEmpty: Bool {
        !isClosing.load(ordering: .sequentiallyConsistent) && rings.allSatisfy(\.isEmpty)
            && others.withLock(\.isEmpty)
    }

    private func sleepTime(_ drain: LogDrain) -> Duration {
        guard let deadline = drain.nextDeadline else { return Self.maxSleep }
        let now = clock.nanoseconds
        return deadline > now ? min(.nanoseconds(deadline - now), Self.maxSleep) : .zero
    }
}
