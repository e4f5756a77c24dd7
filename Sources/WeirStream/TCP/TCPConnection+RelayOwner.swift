import LinuxIO
import NetworkTypes

// The events of a connection's relay, for the route's hooks, observer and policy.
extension TCPConnection: RelayOwner {
    func relayMayRead(_ direction: Direction) -> Int {
        let limit = max(1, route.hooks.maxReadByteCount ?? .max)
        guard let mayRead = route.hooks.mayRead else { return limit }
        switch mayRead(context, direction) {
        case .bytes(let count): return min(max(1, count), limit)
        case .wait(let time):
            schedulePause(direction, time)
            route.observer?.paused(context, direction: direction, cause: .throttle)
            return 0
        }
    }

    func relayDidRead(_ byteCount: Int, _ direction: Direction) -> ReadDecision {
        guard let onRead = route.hooks.onRead else { return .forward }
        let decision = onRead(ReadEvent(context: context, direction: direction, byteCount: byteCount, readCount: 1))
        if case .pause(let time) = decision {
            schedulePause(direction, time)
            route.observer?.paused(context, direction: direction, cause: .throttle)
        }
        return decision
    }

    func relayNeedsRoom(_ direction: Direction) { schedulePause(direction, RelayResources.roomRetryDelay) }

    func relayMetBackpressure(_ direction: Direction) {
        route.observer?.paused(context, direction: direction, cause: .backpressure)
    }

    func relayDiscarded(_ byteCount: Int, _ direction: Direction) {
        route.observer?.discarded(context, direction: direction, byteCount: byteCount)
    }

    func relayGotResponse(isAsked: Bool, withEnd: Bool) {
        guard let member, let state = route.state(of: member) else { return }
        state.ackHeuristic.noteResponse(isAsked: isAsked, withEnd: withEnd)
        state.returnedDials.noteServer()
        route.selector.answered(member, now: core.loop.clockTime)
    }
}
