import LinuxIO
import Synchronization
package import WeirStream

/// What the process knows of its clients, for limits: made once, and the same through all reloads.
package final class ClientTables: Sendable {
    /// How many connections and sessions each has.
    package let counts = ClientCounts()
    /// How fast each opens them.
    let rates = RateTable()
    let clock = MonotonicClock.system

    /// Tables of no client.
    package init() {}
}

/// What one connection or session has taken that limits count, and what its own limits of bandwidth have come to. It
/// hangs on the context from `admit` on, and goes with it: then at the latest the places are free again.
final class ClientTicket: Sendable {
    private let tables: ClientTables
    private let places: (ClientCounts.Place?, ClientCounts.Place?)
    private let isOpen = Atomic<Bool>(true)
    /// The states of the connection's own buckets, which only its worker touches.
    private let ingress = Atomic<UInt64>(0)
    private let egress = Atomic<UInt64>(0)

    /// A ticket that owns up to two places.
    init(_ tables: ClientTables, places: (ClientCounts.Place?, ClientCounts.Place?)) {
        self.tables = tables
        self.places = places
    }

    deinit {
        giveBack()
    }

    /// Gives the places back; the second time nothing is left.
    func giveBack() {
        guard isOpen.exchange(false, ordering: .relaxed) else { return }
        if let place = places.0 { tables.counts.leave(place) }
        if let place = places.1 { tables.counts.leave(place) }
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
    /// What limits have taken for it, where there are some.
    var ticket: ClientTicket? { reservation as? ClientTicket }

    /// It has ended, whichever way: what limits have taken for it is free again, however long the context is kept.
    package func giveBack() {
        if reservation != nil { ticket?.giveBack() }
    }
}
