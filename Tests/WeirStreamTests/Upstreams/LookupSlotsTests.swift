import Testing

@testable import WeirStream

@Suite struct LookupSlotsTests {
    @Test func `new names leave a share to those that answered before`() {
        var slots = LookupSlots()
        let shared = LookupSlots.maxFast - LookupSlots.reserved
        for lookup in 0..<shared { #expect(slots.begin(lookup, .unknown)) }
        #expect(!slots.begin(100, .unknown))
        for lookup in 200..<200 + LookupSlots.reserved { #expect(slots.begin(lookup, .answered)) }
        #expect(!slots.begin(300, .answered))
        #expect(slots.count == LookupSlots.maxFast)
        // One that answered goes first, whoever has ended.
        #expect(slots.end(0) == [300])
        #expect(slots.end(200) == [])
        for lookup in 201..<200 + LookupSlots.reserved { #expect(slots.end(lookup) == []) }
        #expect(slots.end(300) == [100])
    }

    @Test func `what runs for long makes room, within its own bound`() {
        var slots = LookupSlots()
        let shared = LookupSlots.maxFast - LookupSlots.reserved
        var next = 0
        for _ in 0..<500 {
            _ = slots.begin(next, .unknown)
            next += 1
        }
        var begun = Array(0..<shared)
        for _ in 0..<10 {
            let now = begun
            begun = now.flatMap { slots.becameSlow($0) }
        }
        #expect(slots.count == shared + LookupSlots.maxSlow)
        // The end of a slow one lets an overdue one move, and another one begin.
        #expect(slots.end(0).count == 1)
        #expect(slots.count == shared + LookupSlots.maxSlow)
    }

    @Test func `names that were silent wait behind new ones`() {
        var slots = LookupSlots()
        let shared = LookupSlots.maxFast - LookupSlots.reserved
        for lookup in 0..<shared { #expect(slots.begin(lookup, .silent)) }
        #expect(!slots.begin(100, .silent) && !slots.begin(101, .unknown))
        #expect(slots.isFull(for: .unknown) && !slots.isFull(for: .answered))
        #expect(slots.end(0) == [101])
        #expect(slots.end(1) == [100])
        // Ended twice, or never begun: nothing.
        #expect(slots.end(1) == [] && slots.becameSlow(1) == [])
    }
}
