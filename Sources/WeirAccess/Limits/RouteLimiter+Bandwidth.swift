import LinuxIO
import WeirStream

// Bytes a second. A TCP connection asks before each read, its first included, and is not read while there are no bytes
// for it: its sender waits, and nothing is lost. Datagrams that come too fast are dropped, one by one.

extension RouteLimiter {
    /// The least time after which a reader that found the queue full asks again, in nanoseconds. Up to as much is
    /// added, so that not all come at once.
    private static let retryDelayNanoseconds: UInt64 = 100_000_000

    /// Adds the question before each read, and what settles it behind.
    func installGrants(in hooks: inout StreamHooks) {
        let mayReadBefore = hooks.mayRead
        hooks.mayRead = { [self] context, direction in
            let before = mayReadBefore?(context, direction) ?? .bytes(.max)
            guard case .bytes(let most) = before else { return before }
            switch grant(context, direction) {
            case .bytes(let count): return .bytes(min(most, count))
            case .wait(let time): return .wait(time)
            }
        }
        let onReadBefore = hooks.onRead
        hooks.onRead = { [self] event in
            settle(event)
            return onReadBefore?(event) ?? .forward
        }
    }

    /// Asks all that limits a connection for the bytes of its next read.
    func grant(_ context: StreamContext, _ direction: Direction) -> ReadGrant {
        let now = tables.clock.nanoseconds
        guard let client = context.clientReservation else { return .bytes(ByteBucket.minBurst) }
        if let held = client.reservation(direction, at: now) {
            return held.due <= now ? .bytes(held.byteCount) : .wait(.nanoseconds(held.due - now))
        }
        var count = Int.max
        if let bucket = perConnection[direction] {
            switch client.available(direction, bucket, at: now) {
            case .bytes(let own): count = own
            case .wait(let time): return .wait(time)
            }
        }
        var due = now
        if let meter = route.bandwidth[direction] {
            guard let found = meter.reserve(atMost: count, isFavored: false, at: now) else {
                return wait(meter, context, now)
            }
            (count, due) = (found.byteCount, found.due)
        }
        if let meter = process.bandwidth[direction] {
            let isFavored = shares[direction]?.isFavored(at: now) ?? false
            guard let found = meter.reserve(atMost: count, isFavored: isFavored, at: now) else {
                route.bandwidth[direction]?.refund(count)
                return wait(meter, context, now)
            }
            route.bandwidth[direction]?.refund(count - found.byteCount)
            count = found.byteCount
            due = max(due, found.due)
        }
        if !isSharing(direction) { return .bytes(count) }
        client.hold(BandwidthMeter.Reservation(byteCount: count, due: due), direction)
        return due <= now ? .bytes(count) : .wait(.nanoseconds(due - now))
    }

    private func isSharing(_ direction: Direction) -> Bool {
        route.bandwidth[direction] != nil || process.bandwidth[direction] != nil
    }

    /// A time for a reader that found the queue full. Spread out by the number of the connection.
    private func wait(_ meter: BandwidthMeter, _ context: StreamContext, _ now: UInt64) -> ReadGrant {
        let spread = ((context.id &+ now) &* 0x9E37_79B9_7F4A_7C15) >> 32 % Self.retryDelayNanoseconds
        return .wait(.nanoseconds(max(meter.timeUntilRoom(at: now), Self.retryDelayNanoseconds) + spread))
    }

    /// Charges the bytes that were read to the connection, and gives back those that were reserved and not read.
    private func settle(_ event: ReadEvent) {
        let direction = event.direction
        guard event.context.transport == .tcp else { return }
        let client = event.context.clientReservation
        if let bucket = perConnection[direction], let client {
            _ = client.charge(event.byteCount, direction, bucket, at: tables.clock.nanoseconds)
        }
        guard isSharing(direction) else { return }
        if let share = shares[direction] { share.note(event.byteCount, at: tables.clock.nanoseconds) }
        let rest = (client?.takeReservation(direction) ?? 0) - event.byteCount
        if rest >= 0 { return refund(rest, direction) }
        let now = tables.clock.nanoseconds
        route.bandwidth[direction]?.charge(-rest, at: now)
        process.bandwidth[direction]?.charge(-rest, at: now)
    }

    /// Gives back bytes that were reserved and not read.
    func refund(_ bytes: Int, _ direction: Direction) {
        route.bandwidth[direction]?.refund(bytes)
        process.bandwidth[direction]?.refund(bytes)
    }

    /// Adds the drops. What another hook drops is charged to nothing here.
    func installPolice(in hooks: inout StreamHooks) {
        let before = hooks.policeDatagram
        hooks.policeDatagram = { [self] context, direction, byteCount in
            if let before, !before(context, direction, byteCount) { return false }
            return mayPass(context, direction, byteCount)
        }
    }

    /// Whether a datagram may pass. The narrowest is asked first: what it refuses is not charged to the others.
    func mayPass(_ context: StreamContext, _ direction: Direction, _ byteCount: Int) -> Bool {
        let now = tables.clock.nanoseconds
        let own = perConnection[direction].flatMap { bucket in context.clientReservation.map { (bucket, $0) } }
        if let (bucket, client) = own, !client.mayTake(direction, bucket, at: now) { return false }
        if let meter = route.bandwidth[direction], !meter.take(byteCount, worker: context.worker, at: now) {
            return false
        }
        if let meter = process.bandwidth[direction] {
            let isFavored = shares[direction]?.isFavored(at: now) ?? false
            guard meter.take(byteCount, worker: context.worker, isFavored: isFavored, at: now) else { return false }
            shares[direction]?.note(byteCount, at: now)
        }
        if let (bucket, client) = own { _ = client.charge(byteCount, direction, bucket, at: now) }
        return true
    }
}
