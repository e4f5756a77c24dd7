import TestSupport
import Testing

@testable import WeirStream

@Suite struct SlabPoolTests {
    /// One backlog beside the plain array that it must equal.
    private struct Pair {
        var backlog = Backlog()
        var model: [UInt8] = []
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `random use of many backlogs agrees with plain arrays`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pool = SlabPool(bytes: 2 << 20)
        var pairs = [Pair](repeating: Pair(), count: 12)
        let source = Pattern.bytes(200_000, seed: seed)
        var mismatches = 0
        for _ in 0..<4_000 {
            let index = Int.random(in: 0..<pairs.count, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                // A partly filled slab has room besides, so whole slabs are always enough.
                let size = [1, 100, 16_384, 16_385, 131_072].randomElement(using: &random) ?? 1
                let most = min(pool.availableByteCount, size)
                let count = most == 0 ? 0 : Int.random(in: 0...most, using: &random)
                let start = Int.random(in: 0...source.count - count, using: &random)
                source.withUnsafeBytes {
                    pool.append(
                        UnsafeRawBufferPointer(rebasing: $0[start..<start + count]), to: &pairs[index].backlog)
                }
                pairs[index].model += source[start..<start + count]
            case 5..<9:
                guard !pairs[index].backlog.isEmpty else { continue }
                let front = pool.front(of: pairs[index].backlog)
                if front.isEmpty || !front.elementsEqual(pairs[index].model.prefix(front.count)) { mismatches += 1 }
                let count = Int.random(in: 0...front.count, using: &random)
                pool.dropFront(count, of: &pairs[index].backlog)
                pairs[index].model.removeFirst(count)
            default:
                if pool.clear(&pairs[index].backlog) != pairs[index].model.count { mismatches += 1 }
                pairs[index].model = []
            }
            if pairs[index].backlog.count != pairs[index].model.count { mismatches += 1 }
        }
        #expect(mismatches == 0)
        for index in pairs.indices { _ = pool.clear(&pairs[index].backlog) }
        // Every slab came back.
        #expect(pool.availableByteCount == 2 << 20)
    }

    @Test func `an emptied backlog owns nothing`() {
        let pool = SlabPool(bytes: SlabPool.slabSize * 3)
        var backlog = Backlog()
        let bytes = [UInt8](repeating: 7, count: SlabPool.slabSize * 2 + 1)
        bytes.withUnsafeBytes { pool.append($0, to: &backlog) }
        #expect(pool.availableByteCount == 0)
        pool.dropFront(SlabPool.slabSize, of: &backlog)
        #expect(pool.availableByteCount == SlabPool.slabSize)
        pool.dropFront(SlabPool.slabSize, of: &backlog)
        pool.dropFront(1, of: &backlog)
        #expect(backlog.isEmpty)
        #expect(pool.availableByteCount == SlabPool.slabSize * 3)
    }
}
