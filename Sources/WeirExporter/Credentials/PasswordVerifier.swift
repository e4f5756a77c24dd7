import LinuxIO
import Threading

/// Looks at passwords on a thread of its own, one after another, so that a hash that takes half a second holds up nobody
/// but who waits for it.
///
/// The thread runs only while there is something to look at, and gives way to the others: guessing must not cost the proxy
/// its processors.
final class PasswordVerifier: Sendable {
    /// A password to look at.
    struct Job: Sendable {
        /// What its verdict is remembered under.
        var digest: KeyedDigest.Value
        var source: ClientSource
        var password: [UInt8]
        var hash: String
        /// Where nobody has that name, the work is the same and the answer is no.
        var isKnown: Bool
    }

    /// Whether the second is the hash of the first; nil where nobody can say.
    typealias Check = @Sendable ([UInt8], String) -> Bool?

    /// What came of it; nil where libcrypt could not say.
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

    /// Passwords that wait, and those of one source among them.
    private static let mostJobs = 16
    private static let mostOfOneSource = 4
    private static let niceness = 10

    private let matches: Check
    private let state = Lock(State())
    /// Given when there are verdicts.
    private let signal: EventSignal

    /// One without work. `matches` says whether a hash is that of a password, and blocks meanwhile.
    init(matches: @escaping Check = PasswordHash.matches) throws(SystemError) {
        self.matches = matches
        signal = try EventSignal()
    }

    /// What to register in the loop.
    var number: CInt { signal.number }

    /// Takes a password to be looked at; false where there are too many already, or no thread is to be had.
    func submit(_ job: Job) -> Bool {
        let (isTaken, isFirst) = state.withLock { state in
            let all = state.all
            guard !state.isStopped, all.count < Self.mostJobs,
                all.count(where: { $0.source == job.source }) < Self.mostOfOneSource
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

    /// Takes a password out again that waits; false where it is being looked at, or was.
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

    /// Looks at nothing more.
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
