import LinuxIO

/// Runs pre-dial hooks away from the workers.
enum PreDial {
    /// Starts the hook; its decision comes back to the worker, where the owner of `token` takes it if it still lives.
    static func start(
        _ hook: @escaping StreamHooks.PreDial, request: DialRequest, token: EventToken, worker: Worker
    ) -> Task<Void, Never> {
        Task {
            let decision: DialDecision
            do {
                decision = try await hook(request)
            } catch {
                // What went wrong is the hook's to log; here only that it did not allow the dial.
                decision = .reject(.hook)
            }
            await worker.preDialEnded(token, decision)
        }
    }
}

extension WorkerCore {
    /// Whether another hook may run: they are bounded, because each holds a client and perhaps memory of its own.
    func enterPreDial() -> Bool {
        guard preDialsRunning < Self.mostPreDials else { return false }
        preDialsRunning += 1
        return true
    }

    func leavePreDial() {
        preDialsRunning -= 1
    }
}
