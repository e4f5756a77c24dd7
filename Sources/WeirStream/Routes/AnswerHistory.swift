import Synchronization

/// Whether the upstreams of a UDP route answer at all, over all workers: a drain waits for no answer on a route such as
/// syslog's. Safe from any thread.
final class AnswerHistory: Sendable {
    private let isAnswered = Atomic<Bool>(false)
    private let questions = Atomic<Int>(0)

    /// The datagrams without any answer that tell a silent route.
    static let silentAfter = 100

    /// Whether an upstream has ever answered.
    var hasAnswer: Bool { isAnswered.load(ordering: .relaxed) }

    /// Whether the route was asked often and never answered.
    var isSilent: Bool {
        !isAnswered.load(ordering: .relaxed) && questions.load(ordering: .relaxed) >= Self.silentAfter
    }

    /// Counts datagrams to the upstream. Once the count tells enough, nothing is written any more.
    func noteQuestions(_ count: Int) {
        if isAnswered.load(ordering: .relaxed) || questions.load(ordering: .relaxed) >= Self.silentAfter { return }
        questions.add(min(count, Self.silentAfter), ordering: .relaxed)
    }

    /// Remembers that an upstream has answered.
    func noteAnswer() {
        if !isAnswered.load(ordering: .relaxed) { isAnswered.store(true, ordering: .relaxed) }
    }
}
