import Testing

@testable import WeirStream

@Suite struct LookupSlotsTests {
    private static let shared = LookupSlots.maxFast - LookupSlots.reserved

    /// Begins lookups, and returns those that run at once.
    private func begin(
        _ lookups: Range<Int>, _ standing: LookupSlots.Standing, in slots: inout LookupSlots
    ) -> [Int] {
        var running: [Int] = []
        for lookup in lookups {
            if slots.begin(lookup, standing) { running.append(lookup) }
        }
        return running
    }

    /// Ends lookups, and returns those that begin.
    private func end(_ lookups: Range<Int>, in slots: inout LookupSlots) -> [Int] {
        var begun: [Int] = []
        for lookup in lookups { begun += slots.end(lookup) }
        return begun
    }

    @Test func `new names leave a share to those that answered before`() {
        var slots = LookupSlots()
        let new = begin(0..<101, .unknown, in: &slots)
        #expect(new == Array(0..<Self.shared))
        let known = begin(200..<210, .answered, in: &slots)
        #expect(known == Array(200..<200 + LookupSlots.reserved))
        #expect(slots.count == LookupSlots.maxFast)
        // Those that answered go first, whichever has ended.
        let first = end(0..<1, in: &slots)
        let second = end(200..<201, in: &slots)
        #expect(first == [208] && second == [209])
        let others = end(201..<208, in: &slots)
        #expect(others.isEmpty)
        let last = end(208..<210, in: &slots)
        #expect(last == [Self.shared])
    }

    @Test func `a lookup that runs for long makes room, within its own bound`() {
        var slots = LookupSlots()
        var running = begin(0..<500, .unknown, in: &slots)
        for _ in 0..<10 {
            var begun: [Int] = []
            for lookup in running { begun += slots.becameSlow(lookup) }
            running = begun
        }
        #expect(slots.count == Self.shared + LookupSlots.maxSlow)
        // The end of a slow one lets an overdue one move, and another one begin.
        let begun = end(0..<1, in: &slots)
        #expect(begun.count == 1)
        #expect(slots.count == Self.shared + LookupSlots.maxSlow)
    }

    @Test func `names that were silent wait behind new ones`() {
        var slots = LookupSlots()
        let silent = begin(0..<Self.shared + 1, .silent, in: &slots)
        #expect(silent.count == Self.shared)
        let new = begin(100..<101, .unknown, in: &slots)
        #expect(new.isEmpty)
        #expect(slots.isFull(for: .unknown) && !slots.isFull(for: .answered))
        let begun = end(0..<2, in: &slots)
        #expect(begun == [100, Self.shared])
        // Ended twice: nothing.
        let again = end(1..<2, in: &slots) + slots.becameSlow(1)
        #expect(again.isEmpty)
    }
}
