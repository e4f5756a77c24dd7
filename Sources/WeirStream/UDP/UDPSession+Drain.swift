// The end of a session whose listener or route drains.
extension UDPSession {
    /// Drains the session: an assured one ends after a short silence, and so does one that waits for an answer, at the
    /// latest. Any other one ends at once.
    func streamDrains() {
        // Replies that have come already are forwarded.
        if phase == .open { receiveReplies() }
        guard phase != .closed else { return }
        if isAssured || awaitsAnswer { checkSilence() } else { end(.drained) }
    }

    /// Whether a datagram of the client has no answer yet and may get one.
    private var awaitsAnswer: Bool {
        let isAsked = phase == .preparing ? !queue.isEmpty : !owedReplies.isZero
        return isAsked && !listener.owner.shared.answers.isSilent
    }

    /// Ends the session where its socket is empty, every question has been answered and no other question is expected:
    /// replies beyond those are counted.
    func endIfAnswered() {
        guard hasReply, owedReplies.isZero else { return }
        if route.settings.responses != nil {
            end(.responses)
        } else if listener.isDraining, !isAssured {
            end(.drained)
        }
    }

    /// Ends the session after the drain time.
    func endDrained() {
        guard phase != .closed else { return }
        route.observer?.timedOut(context, kind: .drain)
        end(.drained)
    }
}
