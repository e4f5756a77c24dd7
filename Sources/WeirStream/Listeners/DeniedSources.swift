import LinuxIO
import NetworkTypes

/// Sources of datagrams that were denied a session. Their next datagrams are dropped without another call of the hook.
///
/// A bounded table: each mark can be in one of two slots, and a new mark replaces the one of the two that was silent
/// for longer. A flood from more sources than fit only causes some of them to be judged again. Confined to its worker.
struct DeniedSources {
    /// A source that one plan has denied at one listener.
    struct Mark: Hashable {
        let key: SessionKey
        /// The client that a PROXY header named.
        let client: SocketAddress?
        let listener: UInt32
        let generation: Int
    }

    private struct Slot {
        var mark: Mark
        var lastSeen: UInt64
    }

    /// The number of slots, a power of two. The table, less than 2 MiB, is allocated when the first source is denied.
    static let capacity = 16_384

    private var slots: [Slot?] = []

    /// Whether the source was denied, and has not been silent for `silence` nanoseconds since. A lookup also refreshes
    /// the mark.
    mutating func holds(_ mark: Mark, now: UInt64, silence: UInt64) -> Bool {
        if slots.isEmpty { return false }
        let first = Self.firstSlot(of: mark)
        for index in first...(first + 1) {
            guard let slot = slots[index], slot.mark == mark else { continue }
            guard now - min(now, slot.lastSeen) < silence else {
                slots[index] = nil
                return false
            }
            slots[index]?.lastSeen = now
            return true
        }
        return false
    }

    /// Remembers a source that was denied just now.
    mutating func insert(_ mark: Mark, now: UInt64) {
        if slots.isEmpty { slots = Array(repeating: nil, count: Self.capacity) }
        let first = Self.firstSlot(of: mark)
        let isSecondOlder = (slots[first + 1]?.lastSeen ?? 0) < (slots[first]?.lastSeen ?? 0)
        slots[isSecondOlder ? first + 1 : first] = Slot(mark: mark, lastSeen: now)
    }

    /// The first of the two slots of a mark. The hash is seeded per process (``Hasher``), so that clients cannot choose
    /// sources that share a slot.
    private static func firstSlot(of mark: Mark) -> Int {
        mark.hashValue & (capacity - 2)
    }
}
