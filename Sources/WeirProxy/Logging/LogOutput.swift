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
        case line([UInt8])
        case record(LogRecord)
    }

    private let descriptor: CInt
    /// Owns the descriptor, where it is not the process's own.
    private let file: LogFile?
    private let clock: MonotonicClock
    private let rings: [LogRing]
    private let others = Lock<[Item]>([])
    let routes = LogRouteTable()
    private let levelValue: Atomic<UInt8>
    private let writesJSON: Atomic<Bool>
    private let dropped: LogDrops
    private let isAwake = Atomic<Bool>(true)
    private let isClosing = Atomic<Bool>(false)
    private let wakeup: EventSignal
    private let finished: EventSignal

    /// Records of one worker that may wait.
    static let ringCapacity = 4096
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
        append(.line(line))
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
    public func close(within limit: Duration) {
        isClosing.store(true, ordering: .sequentiallyConsistent)
        wakeup.signal()
        finished.wait(within: limit)
    }

    private func run() {
        var drain = LogDrain()
        var writer = LineWriter()
        while true {
            let isLast = isClosing.load(ordering: .sequentiallyConsistent)
            if drainOnce(into: &drain, writer: &writer, isLast: isLast) {
                // Rests with `isAwake` still set: records queue up meanwhile without a system call each.
                if !isLast { wakeup.wait(within: Self.rest) }
                continue
            }
            if isLast { break }
            isAwake.store(false, ordering: .sequentiallyConsistent)
            if isQueueEmpty { wakeup.wait(within: sleepTime(drain)) }
            isAwake.store(true, ordering: .sequentiallyConsistent)
        }
        finished.signal()
    }

    /// Takes what is queued and writes it. Returns whether there was anything.
    private func drainOnce(into drain: inout LogDrain, writer: inout LineWriter, isLast: Bool) -> Bool {
        collect(into: &drain, isLast: isLast)
        if drain.bytes.isEmpty { return false }
        var lost: UInt64 = 0
        if let file, let start = file.takeReplacement() {
            lost += writer.forgetRest()
            if start == .amidLine { _ = LineWriter.writeAll([UInt8(ascii: "\n")], to: descriptor) }
        }
        lost += writer.write(drain.bytes) { LineWriter.writeAll($0, to: descriptor) }
        if lost > 0 { dropped.add(lost) }
        drain.removeWritten()
        return true
    }

    /// Makes lines of what is queued; for tests without the thread.
    func collect(into drain: inout LogDrain, isLast: Bool = false) {
        let (known, leaving) = routes.snapshot()
        drain.setRoutes(known)
        let format = format
        let now = isLast ? UInt64.max : clock.nanoseconds
        for item in others.withLock({ items in
            defer { items = [] }
            return items
        }) {
            switch item {
            case .line(let bytes): drain.add(line: bytes)
            case .record(let record): drain.add(record, format: format, now: min(now, clock.nanoseconds))
            }
        }
        var isEmptied = true
        for ring in rings {
            var left = Self.ringCapacity
            while left > 0, !drain.isFull, let record = ring.pop() {
                drain.add(record, format: format, now: min(now, clock.nanoseconds))
                left -= 1
            }
            if left == 0 || drain.isFull { isEmptied = false }
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
