import Foundation

/// Bounds on a process's resources, and their use.
extension ChildProcess {
    /// The numbers of its open descriptors.
    package var descriptors: Set<Int> {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd")) ?? []
        return Set(names.compactMap { Int($0) })
    }

    /// Sets the soft limit of its descriptors (prlimit(1)); open ones stay open. The hard limit stays.
    package func limitDescriptors(to count: Int) throws {
        let run = try ChildProcess.run("prlimit", ["--pid", "\(processID)", "--nofile=\(count):"])
        guard run.succeeded else { throw DeadlineExceeded(description: "prlimit: \(run)") }
    }

    /// Lowers the limit so that it can open this many more descriptors, and returns the limit before.
    @discardableResult
    package func leaveDescriptors(_ count: Int) throws -> Int {
        let open = descriptors
        var limit = 0
        var free = 0
        // The kernel gives the lowest free number, and none from the limit on.
        while free < count || open.contains(limit) {
            if !open.contains(limit) { free += 1 }
            limit += 1
        }
        let before = try descriptorLimit
        try limitDescriptors(to: limit)
        return before
    }

    private var descriptorLimit: Int {
        get throws {
            let line = contents(of: "/proc/\(processID)/limits").split(separator: "\n").first {
                $0.hasPrefix("Max open files")
            }
            guard let limit = line?.split(separator: " ").dropFirst(3).first.flatMap({ Int($0) }) else {
                throw DeadlineExceeded(description: "/proc/\(processID)/limits names no limit of open files")
            }
            return limit
        }
    }

    /// User and system time so far, in seconds.
    package var cpuSeconds: Double {
        let fields = contents(of: "/proc/\(processID)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return .nan }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// How much of one core it uses, measured over a time.
    package func cpuShare(over time: Duration) throws -> Double {
        let clock = ContinuousClock()
        let (start, before) = (clock.now, cpuSeconds)
        try waitUntil("\(time) pass", deadline: time + .seconds(10)) { clock.now - start >= time }
        let spent = clock.now - start
        return (cpuSeconds - before) / (Double(spent.components.seconds) + Double(spent.components.attoseconds) / 1e18)
    }

    /// The peak of its resident memory.
    package var peakResidentBytes: Int { (statusNumber("VmHWM:") ?? 0) * 1024 }

    /// Whether it ignores a signal.
    package func ignores(signal: Int32) -> Bool {
        guard let text = statusWord("SigIgn:"), let mask = UInt64(text, radix: 16) else { return false }
        return mask & (1 << UInt64(signal - 1)) != 0
    }

    private func statusNumber(_ name: String) -> Int? { statusWord(name).flatMap { Int($0) } }

    private func statusWord(_ name: String) -> Substring? {
        contents(of: "/proc/\(processID)/status").split(separator: "\n").first { $0.hasPrefix(name) }?
            .split(whereSeparator: \.isWhitespace).dropFirst().first
    }
}

extension WeirProcess {
    /// Scrapes on a connection that is open already, which takes no descriptor.
    package func scrape(on connection: TestConnection) throws -> Samples {
        WorkerTurns.finish(of: process.processID)
        try connection.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return try Samples(HTTP.readResponse(from: connection).text)
    }
}
