import Synchronization

/// The scrapes that are running, so that memory which they may still read is neither freed nor reused: epoch-based
/// reclamation. Readers never wait: each announces the epoch in which it began, and writers defer the freeing.
///
/// The rule: a writer first unpublishes a thing, then advances the epoch to *t* and remembers *t* with it. It may be
/// freed when every reader is idle or announced an epoch ≥ *t*. Reader: announce (A), then load pointers (B). Writer:
/// store pointers (C), advance the epoch, later load announcements (D). All are sequentially consistent. If D misses A,
/// then C < D < A < B in the one order that all agree on, so B sees the new pointer. If D sees A with an epoch ≥ t, the
/// reader loaded the epoch after it was advanced, so after C, and again B sees the new pointer.
///
/// A scrape that is suspended for ever keeps memory from being freed, but no other thread waits for it.
final class ScrapeReaders: Sendable {
    /// One slot; belongs to one ``ScrapeBuffer`` at a time.
    final class Slot: Sendable {
        static let idle = UInt64.max
        let epoch = Atomic<UInt64>(Slot.idle)
        let isTaken = Atomic<Bool>(true)
        let next = AtomicLazyReference<Slot>()
        /// The serial number of its registry.
        let owner: UInt64

        init(owner: UInt64) {
            self.owner = owner
        }
    }

    /// Unique in the process.
    let serial: UInt64
    /// Advanced by every retirement of anything. Worker shards acknowledge it as well.
    private let epoch = Atomic<UInt64>(0)
    private let first: Slot
    private static let serials = Atomic<UInt64>(0)

    init() {
        serial = Self.makeSerial()
        first = Slot(owner: serial)
        first.isTaken.store(false, ordering: .relaxed)
    }

    /// A number that no series and no registry of this process had before.
    static func makeSerial() -> UInt64 {
        serials.add(1, ordering: .relaxed).newValue
    }

    /// The current epoch. Acquire: what was retired before it is seen as retired.
    var current: UInt64 {
        epoch.load(ordering: .acquiring)
    }

    /// Begins a new epoch, after something was unpublished.
    func advance() -> UInt64 {
        epoch.add(1, ordering: .sequentiallyConsistent).newValue
    }

    /// A free slot, or a new one: without waiting, since a failed exchange means that another scrape got on.
    func take() -> Slot {
        var slot = first
        while true {
            // Acquire: takes over from the buffer that gave the slot back.
            if slot.isTaken.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged {
                return slot
            }
            if let next = slot.next.load() {
                slot = next
            } else {
                let fresh = Slot(owner: serial)
                let stored = slot.next.storeIfNil(fresh)
                if stored === fresh { return fresh }
                slot = stored
            }
        }
    }

    /// Announces that a scrape begins.
    func enter(_ slot: borrowing Slot) {
        slot.epoch.store(epoch.load(ordering: .sequentiallyConsistent), ordering: .sequentiallyConsistent)
    }

    /// The scrape is over. Release: its last reads come before the freeing of what it read.
    static func leave(_ slot: borrowing Slot) {
        slot.epoch.store(Slot.idle, ordering: .releasing)
    }

    /// The oldest epoch in which a running scrape began; everything retired up to it may go.
    var oldestRunning: UInt64 {
        var oldest = Slot.idle
        var slot: Slot? = first
        while let current = slot {
            oldest = min(oldest, current.epoch.load(ordering: .sequentiallyConsistent))
            slot = current.next.load()
        }
        return oldest
    }
}
