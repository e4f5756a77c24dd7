import LinuxIO

/// Runs pre-dial hooks away from the workers.
enum PreDial {
    /// Starts the hook. Its decision goes to the worker, which passes it to the owner of `token` if that still exists.
    static func start(
        _ hook: @escaping StreamHooks.PreDial, request: DialRequest, token: EventToken, worker: Worker
    ) -> Task<Void, Never> {
        Task {
            let decision: DialDecision
            do {
                decision = try await hook(request)
            } catch {
                // The hook logs its own errors: here an error only means that there is no dial.
                decision = .reject(.hook)
            }
            await worker.preDialEnded(token, decision)
        }
    }
}

extension WorkerCore {
    /// Counts one more running hook. Returns false at the limit: each hook holds a client, and may hold memory.
    func enterPreDial() -> Bool {
        guard preDialsRunning < Self.maxPreDials else { return false }
        preDialsRunning += 1
        return true
    }

    func leavePreDial() {
        preDialsRunning -= 1
    }
}
