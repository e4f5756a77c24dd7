import Glibc

/// Nanoseconds of processor time that this thread has had: what other programs take on a shared machine is not in it.
func threadNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Processor time of calls, in nanoseconds.
struct Cost {
    /// The median and the minimum of all rounds; they differ if other programs share the core's caches and units.
    let median: Double
    let best: Double

    /// Measures one call of `body` in each round, after one that is not counted; `before` is not timed.
    init(rounds: Int, before: () -> Void = {}, _ body: () -> Void) {
        body()
        self.init(
            (0..<rounds).map { _ in
                before()
                let start = threadNanoseconds()
                body()
                return Double(threadNanoseconds() - start)
            })
    }

    init(_ values: [Double]) {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        best = sorted[0]
    }

    private init(median: Double, best: Double) {
        self.median = median
        self.best = best
    }

    static func / (cost: Cost, divisor: Double) -> Cost {
        Cost(median: cost.median / divisor, best: cost.best / divisor)
    }
}

/// Takes the place of everything that the core's own caches hold, as a second of other work does.
struct CacheSweep {
    private let words = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: 4 << 20)

    init() {
        words.initialize(repeating: 1)
    }

    func callAsFunction() {
        for position in stride(from: 0, to: words.count, by: 8) { words[position] &+= 1 }
    }
}

/// Runs `body` on `count` threads at once, which begin together, and gives what each returned.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Double) -> [Double] {
    final class Job: @unchecked Sendable {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }
    let results = UnsafeMutablePointer<Double>.allocate(capacity: count)
    let barrier = UnsafeMutablePointer<pthread_barrier_t>.allocate(capacity: 1)
    pthread_barrier_init(barrier, nil, UInt32(count))
    defer {
        pthread_barrier_destroy(barrier)
        barrier.deallocate()
        results.deallocate()
    }
    let threads = (0..<count).map { index in
        var thread = pthread_t()
        let job = Unmanaged.passRetained(
            Job {
                pthread_barrier_wait(barrier)
                results[index] = body(index)
            })
        pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, job.toOpaque())
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
    return (0..<count).map { results[$0] }
}

/// Processor and kernel, as far as the system tells.
func machine() -> String {
    var system = utsname()
    uname(&system)
    let release = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    var model = "unknown processor"
    if let file = fopen("/proc/cpuinfo", "r") {
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("model name"), let name = text.split(separator: ":").last {
                model = name.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                break
            }
        }
        fclose(file)
    }
    var load = [0.0]
    getloadavg(&load, 1)
    return "\(model), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) cores, Linux \(release), load \(short(load[0]))"
}

/// Resident bytes of this process.
func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
}
