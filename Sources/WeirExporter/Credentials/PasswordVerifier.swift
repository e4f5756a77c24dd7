import LinuxIO
import Threading

/// Checks passwords on a thread of its own, one after another, so that a hash that takes half a second holds up only
/// the connections that wait for it.
///
/// The thread runs only while there are passwords to check, at a lower priority: guessing must not cost the proxy its
/// processors.
final class PasswordVerifier: Sendable {
    /// A password to check.
    struct Job: Sendable {
        /// The key of its verdict.
        var digest: KeyedDigest.Value
        var source: ClientSource
        var password: [UInt8]
        var hash: String
        /// Whether the user's name is known. If not, the work is the same and the verdict is negative.
        var isKnown: Bool
    }

    /// Whether the second is the hash of the first; nil if libcrypt fails.
    typealias Check = @Sendable ([UInt8], String) -> Bool?

    /// The outcome of a check; `isRight` is nil if libcrypt failed.
    struct Verdict: Sendable {
        var digest: KeyedDigest.Value
        var isRight: Bool?
    }

    private struct State {
        var waiting: [Job] = []
        var current: Job?
        var verdicts: [Verdict] = []
        var isStopped = false

        var all: [Job] { waiting + (current.map { [$0] } ?? []) }
    }

    /// The maximum number of passwords in the verifier, in total and for one source.
    private static let maxJobs = 16
    private static let maxJobsPerSource = 4
    private static let niceness = 10

    private let matches: Check
    private let state = Lock(State())
    /// Signaled when there are verdicts.
    private let signal: EventSignal

    /// Creates an idle verifier. `matches` says whether a hash is that of a password, and may block.
    init(matches: @escaping Check = PasswordHash.matches) throws(SystemError) {
        self.matches = matches
        signal = try EventSignal()
    }

    /// The descriptor to register in the loop.
    var number: CInt { signal.number }

    /// Submits a password; false if there are too many already, or no thread can be started.
    func submit(_ job: Job) -> Bool {
        let (isTaken, isFirst) = state.withLock { state in
            let all = state.all
            guard !state.isStopped, all.count < Self.maxJobs,
                all.count(where: { $0.source == job.source }) < Self.maxJobsPerSource
            else { return (false, false) }
            if all.isEmpty {
                state.current = job
            } else {
                state.waiting.append(job)
            }
            return (true, all.isEmpty)
        }
        guard isFirst else { return isTaken }
        do throws(SystemError) {
            try Thread.start(name: "weir-passwords") { [self] in run(job) }
            return true
        } catch {
            state.withLock { $0.current = nil }
            return false
        }
    }

    /// Removes a waiting password; false if its check has begun.
    func withdraw(_ digest: KeyedDigest.Value) -> Bool {
        state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.digest == digest }) else { return false }
            state.waiting.remove(at: index)
            return true
        }
    }

    /// The verdicts since the last call.
    func takeVerdicts() -> [Verdict] {
        signal.reset()
        return state.withLock { state in
            defer { state.verdicts = [] }
            return state.verdicts
        }
    }

    /// Discards waiting passwords; checks begin no more.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            state.waiting = []
        }
    }

    private func run(_ first: Job) {
        Thread.lowerPriority(by: Self.niceness)
        var next: Job? = first
        while let job = next {
            let isRight = matches(job.password, job.hash).map { $0 && job.isKnown }
            next = state.withLock { state in
                state.verdicts.append(Verdict(digest: job.digest, isRight: isRight))
                state.current = state.waiting.isEmpty ? nil : state.waiting.removeFirst()
                return state.current
            }
            signal.signal()
        }
    }
}
