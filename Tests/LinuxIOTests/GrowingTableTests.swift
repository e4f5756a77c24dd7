import Testing

@testable import LinuxIO

@Suite struct GrowingTableTests {
    /// Counts those of its kind that live.
    private final class Guest {
        private let alive: Counter
        init(_ alive: Counter) {
            self.alive = alive
            alive.count += 1
        }
        deinit { alive.count -= 1 }
    }

    private final class Counter {
        var count = 0
    }

    @Test func `elements keep their values, and a change is made in place`() {
        var table = GrowingTable<Int>()
        for number in 0..<1000 { table.append(number) }
        expectTrue(table.count == 1000)
        for index in stride(from: 0, to: 1000, by: 3) { table[index] += 1_000_000 }
        for index in 0..<1000 {
            let value = table[index]
            #expect(value == (index % 3 == 0 ? index + 1_000_000 : index))
        }
    }

    @Test func `no element moves when others come`() {
        var table = GrowingTable<UInt64>()
        table.append(7)
        let before = unsafe withUnsafePointer(to: &table[0]) { UInt(bitPattern: $0) }
        for number in 0..<100_000 { table.append(UInt64(number)) }
        let after = unsafe withUnsafePointer(to: &table[0]) { UInt(bitPattern: $0) }
        #expect(before == after)
        let first = table[0]
        #expect(first == 7)
    }

    @Test(arguments: [0, 1, 255, 256, 257, 513]) func `what it holds ends with it`(count: Int) {
        let alive = Counter()
        do {
            var table = GrowingTable<Guest>()
            for _ in 0..<count { table.append(Guest(alive)) }
            #expect(alive.count == count)
            // One that is replaced ends at once.
            if count > 0 { table[count - 1] = Guest(alive) }
            #expect(alive.count == count)
        }
        #expect(alive.count == 0)
    }
}
