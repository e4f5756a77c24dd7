import LinuxIO

/// Runs lookups, which block, on threads of their own: a bounded number at once (``LookupSlots``). Names of the hosts
/// file do not wait for the others.
actor LookupPool {
    private let slowAfter: Duration
    private var slots = LookupSlots()
    private var nextLookup = 0
    private var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    /// Lookups of local names that run beside the full slots.
    private var localLookups = 0
    private static let maxLocalLookups = 4

    /// Creates a pool in which a lookup that takes longer than `slowAfter` makes room for another one.
    init(slowAfter: Duration = .seconds(1)) {
        self.slowAfter = slowAfter
    }

    /// Runs a lookup when there is room for it. `isLocal` says whether it needs no name server; it is asked where the
    /// lookup would have to wait.
    /// - Throws: where no thread can be started.
    func run<Answer: Sendable>(
        _ standing: LookupSlots.Standing, isLocal: @Sendable () -> Bool, _ lookup: @escaping @Sendable () -> Answer
    ) async throws(SystemError) -> Answer {
        if slots.isFull(for: standing), localLookups < Self.maxLocalLookups, isLocal() {
            localLookups += 1
            defer { localLookups -= 1 }
            return try await Self.onThread(lookup)
        }
        nextLookup += 1
        let number = nextLookup
        if !slots.begin(number, standing) { await withCheckedContinuation { waiting[number] = $0 } }
        let alarm = Task {
            try await Task.sleep(for: slowAfter)
            self.resume(self.slots.becameSlow(number))
        }
        defer {
            alarm.cancel()
            resume(slots.end(number))
        }
        return try await Self.onThread(lookup)
    }

    /// Lets lookups go on that have a slot now.
    private func resume(_ lookups: [Int]) {
        for lookup in lookups { waiting.removeValue(forKey: lookup)?.resume() }
    }

    /// Runs it on a thread of its own: getaddrinfo(3) and res_nquery(3) may block for a long time.
    private static func onThread<Answer: Sendable>(
        _ lookup: @escaping @Sendable () -> Answer
    ) async throws(SystemError) -> Answer {
        typealias Outcome = Result<Answer, SystemError>
        let outcome = await withCheckedContinuation { (continuation: CheckedContinuation<Outcome, Never>) in
            do throws(SystemError) {
                try Thread.start { continuation.resume(returning: .success(lookup())) }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        return try outcome.get()
    }
}
