/// The user data of an epoll event: the owner's slot, the generation of that slot, and a tag of the owner.
///
/// A closed descriptor can still deliver events, and its slot may have a new owner by then: the generation tells the
/// two owners apart. A tag is the owner's own numbering of its descriptors and timers (0 to 7).
public struct EventToken: Hashable, Sendable {
    /// `generation << 35 | tag << 32 | slot`.
    public let rawValue: UInt64

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    init(slot: Int, generation: UInt32, tag: Int = 0) {
        rawValue = UInt64(generation & Self.generationMask) << 35 | UInt64(tag & 7) << 32 | UInt64(UInt32(slot))
    }

    /// The token of no owner: for a field that is not set yet.
    public static let none = EventToken(slot: Int(UInt32.max), generation: generationMask)

    static let generationMask: UInt32 = (1 << 29) - 1

    var slot: Int { Int(UInt32(truncatingIfNeeded: rawValue)) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 35) }

    /// The owner's number for the descriptor or the timer.
    public var tag: Int { Int(rawValue >> 32 & 7) }

    /// The same owner, another of its descriptors or timers.
    public func with(tag: Int) -> EventToken {
        EventToken(rawValue: rawValue & ~(7 << 32) | UInt64(tag & 7) << 32)
    }
}
