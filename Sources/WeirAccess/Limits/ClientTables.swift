import LinuxIO
import Synchronization
package import WeirStream

/// The counts and rates of all clients, for limits: made once, and kept through all reloads.
package final class ClientTables: Sendable {
    /// How many connections and sessions each has.
    package let counts = ClientCounts()
    /// How fast each opens them.
    let rates = RateTable()
    let clock: MonotonicClock

    /// Tables of no client.
    package init(clock: MonotonicClock = .system) {
        self.clock = clock
    }
}

/// The counted slots that one connection or session holds, and the states of its own limits of bandwidth. It hangs on
/// the context from `admit` on, and goes with it: then at the latest the slots are free again.
final class ClientReservation: Sendable {
    private let tables: ClientTables
    private let slots: (ClientCounts.Slot?, ClientCounts.Slot?)
    private let isOpen = Atomic<Bool>(true)
    /// The states of the connection's own buckets, which only its worker touches.
    private let ingress = Atomic<UInt64>(0)
    private let egress = Atomic<UInt64>(0)
    /// The bytes that it has reserved of the buckets that it shares: likewise.
    private let ingressHold = Hold()
    private let egressHold = Hold()
    private let limiter: RouteLimiter?

    /// Bytes that were charged and not read yet.
    private struct Hold: ~Copyable, Sendable {
        let byteCount = Atomic<Int>(0)
        let due = Atomic<UInt64>(0)
    }

    /// A reservation that owns up to two slots.
    init(
        _ tables: ClientTables, slots: (ClientCounts.Slot?, ClientCounts.Slot?), limiter: RouteLimiter? = nil
    ) {
        self.tables = tables
        self.limiter = limiter
        self.slots = slots
    }

    deinit {
        giveBack()
    }

    /// Moves the slot among the clients of the process to another owner.
    func takeProcessSlot() -> ClientCounts.Slot? {
        isOpen.exchange(false, ordering: .relaxed) ? slots.1 : nil
    }

    /// Gives the slots back; the second time nothing is left.
    func giveBack() {
        guard isOpen.exchange(false, ordering: .relaxed) else { return }
        if let slot = slots.0 { tables.counts.leave(slot) }
        if let slot = slots.1 { tables.counts.leave(slot) }
        guard let limiter else { return }
        limiter.refund(takeReservation(.ingress), .ingress)
        limiter.refund(takeReservation(.egress), .egress)
    }

    // MARK: Bytes

    /// How long reserved bytes stay good once they may be read, in nanoseconds. Without a bound, connections that were
    /// silent could read at once what they all have saved up.
    private static let maxAgeNanoseconds: UInt64 = 500_000_000

    /// The bytes that were reserved and not read yet; nil where none are left.
    func reservation(_ direction: Direction, at now: UInt64) -> BandwidthMeter.Reservation? {
        let count = withHold(direction) { $0.byteCount.load(ordering: .relaxed) }
        guard count > 0 else { return nil }
        let due = withHold(direction) { $0.due.load(ordering: .relaxed) }
        if now > due, now - due > Self.maxAgeNanoseconds {
            _ = takeReservation(direction)
            return nil
        }
        return BandwidthMeter.Reservation(byteCount: count, due: due)
    }

    /// Keeps what was reserved until it is read, or the connection ends.
    func hold(_ reservation: BandwidthMeter.Reservation, _ direction: Direction) {
        withHold(direction) { hold in
            hold.byteCount.store(reservation.byteCount, ordering: .relaxed)
            hold.due.store(reservation.due, ordering: .relaxed)
        }
    }

    /// How many bytes were reserved; there are none any more.
    func takeReservation(_ direction: Direction) -> Int {
        withHold(direction) { $0.byteCount.exchange(0, ordering: .relaxed) }
    }

    private func withHold<Result>(_ direction: Direction, _ body: (borrowing Hold) -> Result) -> Result {
        direction == .ingress ? body(ingressHold) : body(egressHold)
    }

    /// How many bytes of the connection's own bucket its next read may bring.
    func available(_ direction: Direction, _ bucket: ByteBucket, at now: UInt64) -> ReadGrant {
        let state = load(direction)
        if let count = bucket.available(state, at: now) { return .bytes(count) }
        // Until a piece that is worth a read has come.
        return .wait(.nanoseconds(bucket.wait(state, at: now) + bucket.time(for: bucket.sharedPiece)))
    }

    /// Charges bytes that were read to the connection's own bucket. Returns how long the next read has to wait.
    func charge(_ bytes: Int, _ direction: Direction, _ bucket: ByteBucket, at now: UInt64) -> UInt64 {
        let state = bucket.charging(bytes, to: load(direction), at: now)
        store(state, direction)
        return bucket.wait(state, at: now)
    }

    /// Whether a datagram may pass, as far as its session's own bucket has a say.
    func mayTake(_ direction: Direction, _ bucket: ByteBucket, at now: UInt64) -> Bool {
        bucket.wait(load(direction), at: now) == 0
    }

    private func load(_ direction: Direction) -> UInt64 {
        direction == .ingress ? ingress.load(ordering: .relaxed) : egress.load(ordering: .relaxed)
    }

    private func store(_ state: UInt64, _ direction: Direction) {
        if direction == .ingress {
            ingress.store(state, ordering: .relaxed)
        } else {
            egress.store(state, ordering: .relaxed)
        }
    }
}

extension StreamContext {
    /// Its reservations, where limits have made some.
    var clientReservation: ClientReservation? { reservation as? ClientReservation }

    /// It has ended, whichever way: what limits have taken for it is free again, however long the context is kept.
    package func giveBack() {
        if reservation != nil { clientReservation?.giveBack() }
    }
}
