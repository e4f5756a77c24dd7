import Foundation

/// Waits for the event loops of a Weir, those of its workers and of its exporter, to end the turns that they are in.
///
/// A peer sees bytes in the middle of a turn, and a worker counts some of them behind the call that sent them: what the
/// kernel took of a batch, or the end of a connection. On a busy machine the worker may stand between the two while the
/// peer's test goes on. What a test asks after this wait includes everything that a peer has seen before it.
package enum WorkerTurns {
    private static let threadPrefixes = ["weir-worker-", "weir-exporter"]
    /// More processor time than any turn takes, in nanoseconds.
    private static let maxTurnNanoseconds: UInt64 = 50_000_000
    /// For a worker that is kept from running by something else.
    private static let limit = Duration.seconds(10)
    #if arch(x86_64)
    private static let waitCall = "281"
    #else
    private static let waitCall = "22"
    #endif

    /// Waits until each loop of the process, or of the processes that it has started, was seen between two turns, or
    /// has run for longer than a turn takes. Returns also where one stands still for long.
    package static func finish(of process: pid_t) {
        var pending = loops(of: process).map { (task: $0, start: processorTime(of: $0)) }
        try? waitUntil("all loops have ended a turn", deadline: limit) {
            pending.removeAll { isBetweenTurns($0.task) || processorTime(of: $0.task) > $0.start + maxTurnNanoseconds }
            return pending.isEmpty
        }
    }

    /// The folders of the loops' threads below /proc. A launcher may have started the process and wait for it.
    private static func loops(of process: pid_t, depth: Int = 0) -> [String] {
        let folder = "/proc/\(process)/task"
        let tasks = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map { "\(folder)/\($0)" }
        let found = tasks.filter { task in
            let name = contents(of: "\(task)/comm")
            return threadPrefixes.contains(where: name.hasPrefix)
        }
        guard found.isEmpty, depth < 4, process != getpid() else { return found }
        let children = tasks.flatMap { contents(of: "\($0)/children").split(separator: " ").compactMap { pid_t($0) } }
        return children.flatMap { loops(of: $0, depth: depth + 1) }
    }

    /// Whether the thread waits in epoll_pwait(2), was stopped by a tracer or a signal, or is gone (proc(5)).
    private static func isBetweenTurns(_ task: String) -> Bool {
        let call = contents(of: "\(task)/syscall")
        if call.isEmpty || call.hasPrefix(waitCall + " ") { return true }
        let state = contents(of: "\(task)/stat").split(separator: ")").last?.split(separator: " ").first
        return state == "t" || state == "T"
    }

    /// The time that the thread has run, in nanoseconds (`schedstat`).
    private static func processorTime(of task: String) -> UInt64 {
        contents(of: "\(task)/schedstat").split(separator: " ").first.flatMap { UInt64($0) } ?? 0
    }
}

extension Samples {
    /// The page of an exporter on this machine, as Prometheus would scrape it. It has everything that a peer of the
    /// process has seen (``WorkerTurns``). For what the process was only sent, wait.
    package static func scrape(port: UInt16, of process: pid_t) throws -> Samples {
        WorkerTurns.finish(of: process)
        let response = try HTTP.get("/metrics", port: port)
        guard response.status == 200 else {
            throw Malformed(description: "/metrics answered \(response.status)")
        }
        return try Samples(response.text)
    }
}
