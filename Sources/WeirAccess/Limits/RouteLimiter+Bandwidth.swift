import LinuxIO
import WeirStream

// Bytes a second. A TCP connection that has read more than it may is not read for a while: its sender waits, and
// nothing is lost. Datagrams that come too fast are dropped, one by one.

extension RouteLimiter {
    /// Adds the pauses, and the bound on one read that keeps a splice from taking a second's worth at once.
    func installPauses(in hooks: inout StreamHooks) {
        let before = hooks.onRead
        hooks.onRead = { [self] event in
            let decision = before?(event) ?? .forward
            // Sessions are held to their limits datagram by datagram.
            if case .close = decision { return .close }
            guard event.context.transport == .tcp else { return decision }
            let wait = Duration.nanoseconds(charge(event))
            if case .pause(let other) = decision { return .pause(max(wait, other)) }
            return wait == .zero ? .forward : .pause(wait)
        }
        for pair in [route.bandwidth, process.bandwidth] {
            for meter in [pair.ingress, pair.egress] {
                if let meter { hooks.bound(largestRead: meter.bucket.largestPiece) }
            }
        }
        for bucket in [perConnection.ingress, perConnection.egress] {
            if let bucket { hooks.bound(largestRead: bucket.largestPiece) }
        }
    }

    /// Charges what was read to everything that it counts for. Returns how long the next read has to wait, in
    /// nanoseconds.
    private func charge(_ event: ReadEvent) -> UInt64 {
        let (direction, worker) = (event.direction, event.context.worker)
        let now = tables.clock.nanoseconds
        var wait: UInt64 = 0
        if let bucket = perConnection[direction], let ticket = event.context.ticket {
            wait = ticket.charge(event.byteCount, direction, bucket, at: now)
        }
        if let meter = route.bandwidth[direction] {
            wait = max(wait, meter.charge(event.byteCount, worker: worker, at: now))
        }
        if let meter = process.bandwidth[direction] {
            wait = max(wait, meter.charge(event.byteCount, worker: worker, at: now))
        }
        return wait
    }

    /// Adds the drops. What another hook drops is charged to nothing here.
    func installPolice(in hooks: inout StreamHooks) {
        let before = hooks.police
        hooks.police = { [self] context, direction, byteCount in
            if let before, !before(context, direction, byteCount) { return false }
            return mayPass(context, direction, byteCount)
        }
    }

    /// Whether a datagram may pass. The narrowest is asked first: what it refuses is not charged to the others.
    func mayPass(_ context: StreamContext, _ direction: Direction, _ byteCount: Int) -> Bool {
        let now = tables.clock.nanoseconds
        let own = perConnection[direction].flatMap { bucket in context.ticket.map { (bucket, $0) } }
        if let (bucket, ticket) = own, !ticket.mayTake(direction, bucket, at: now) { return false }
        if let meter = route.bandwidth[direction], !meter.take(byteCount, worker: context.worker, at: now) {
            return false
        }
        if let meter = process.bandwidth[direction], !meter.take(byteCount, worker: context.worker, at: now) {
            return false
        }
        if let (bucket, ticket) = own { _ = ticket.charge(byteCount, direction, bucket, at: now) }
        return true
    }
}

extension StreamHooks {
    fileprivate mutating func bound(largestRead: Int) {
        self.largestRead = min(self.largestRead ?? .max, largestRead)
    }
}
