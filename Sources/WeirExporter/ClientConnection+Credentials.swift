import LinuxIO

extension ClientConnection {
    /// Whether the client may have the page that it asks for. Where it may not, the plan is a refusal from here on; false
    /// says that its password is being looked at, and ``answer()`` comes again.
    func isAdmitted() -> Bool {
        let refusal: HTTPStatus
        switch server.authenticator.decide(plan.credentials, from: source, now: server.loop.now) {
        case .undecided:
            awaitVerdict()
            return false
        case .granted:
            admit(nil)
            return true
        case .denied: refusal = .unauthorized
        case .throttled: refusal = .tooManyRequests
        case .unable: refusal = .unavailable
        }
        admit(refusal)
        return true
    }

    private func admit(_ refusal: HTTPStatus?) {
        if let refusal { plan.action = .refuse(refusal) }
        plan.needsCredentials = false
        plan.credentials = .none
    }

    private func awaitVerdict() {
        guard phase != .awaitingVerdict else { return }
        phase = .awaitingVerdict
        waitingSince = server.loop.now
        setDeadline(after: server.limits.writeTimeout)
        listen(for: [])
    }
}
