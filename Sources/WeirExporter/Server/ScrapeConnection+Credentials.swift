import LinuxIO

extension ScrapeConnection {
    /// Whether the client may have the page that it asks for. Where it may not, the plan is a refusal from here on;
    /// false says that its password is being looked at, and ``answer()`` comes again.
    func isAuthorized() -> Bool {
        let refusal: HTTPStatus
        let decision = server.authenticator.decide(
            plan.credentials, from: source, awaited: awaitedVerdict, now: server.loop.now)
        switch decision {
        case .undecided(let password):
            awaitVerdict(on: password)
            return false
        case .granted:
            settleCredentials(refusal: nil)
            return true
        case .denied: refusal = .unauthorized
        case .throttled: refusal = .tooManyRequests
        case .unable: refusal = .unavailable
        }
        settleCredentials(refusal: refusal)
        return true
    }

    /// Leaves the plan without a question: its answer, or the refusal.
    private func settleCredentials(refusal: HTTPStatus?) {
        awaitedVerdict = nil
        if let refusal {
            plan.action = .refuse(refusal)
            plan.explanation = nil
        }
        plan.needsCredentials = false
        plan.credentials = .none
    }

    private func awaitVerdict(on password: KeyedDigest.Value) {
        if awaitedVerdict != password {
            stopAwaitingVerdict()
            server.authenticator.addWaiter(for: password)
            awaitedVerdict = password
        }
        guard phase != .awaitingVerdict else { return }
        phase = .awaitingVerdict
        waitingSince = server.loop.now
        setDeadline(after: server.limits.writeTimeout)
        // A look at a password is dear: a client that closes its side meanwhile is taken for gone.
        listen(for: .peerClosed)
    }

    /// Gives up waiting; a password that no other connection waits for is not looked at any more.
    func stopAwaitingVerdict() {
        guard let password = awaitedVerdict else { return }
        awaitedVerdict = nil
        server.authenticator.removeWaiter(for: password)
    }
}
