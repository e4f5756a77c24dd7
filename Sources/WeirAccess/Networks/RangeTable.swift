/// Which of many blocks, nested or apart, is the smallest around a number: sorted ranges in flat arrays.
///
/// Two blocks of addresses never overlap by halves: one holds the other, or they are apart. So the blocks cut the
/// numbers into at most twice as many ranges and one more, each with one smallest block, and a binary search finds it.
/// A trie would visit as many nodes as this does steps, each a cache line of its own; here the first steps share
/// theirs.
struct RangeTable<Key: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    /// The numbers from `first` to `last`.
    struct Block: Sendable {
        let first: Key
        let last: Key
        let value: UInt32
    }

    /// The start of each range; it ends where the next one begins.
    private var starts: ContiguousArray<Key> = []
    private var values: ContiguousArray<UInt32> = []
    /// For each part of all numbers, how many ranges begin before it, so that a search looks at one part only. Empty
    /// where there are few ranges: a short search is quick, and most lists are short.
    private var parts: ContiguousArray<UInt32> = []

    /// Parts have their upper bits in common, so many.
    private static var partBits: Int { 16 }
    private static var shift: Int { Key.bitWidth - partBits }
    private static var fewRanges: Int { 4096 }

    /// Stands for numbers in no block.
    private static var nothing: UInt32 { .max }

    /// Sorts the blocks. Where one comes twice, the smaller value counts.
    init(_ blocks: [Block]) {
        let sorted = blocks.sorted { left, right in
            if left.first != right.first { return left.first < right.first }
            if left.last != right.last { return left.last > right.last }
            return left.value < right.value
        }
        // Blocks around the current address, the smallest last.
        var open: [Block] = []
        for block in sorted {
            while let inner = open.last, inner.last < block.first { close(&open) }
            if let same = open.last, same.first == block.first, same.last == block.last { continue }
            begin(block.first, block.value)
            open.append(block)
        }
        while !open.isEmpty { close(&open) }
        if starts.count > Self.fewRanges { countParts() }
    }

    private mutating func countParts() {
        parts = ContiguousArray(repeating: 0, count: (1 << Self.partBits) + 1)
        for start in starts { parts[Int(truncatingIfNeeded: start >> Self.shift) + 1] += 1 }
        for part in 1..<parts.count { parts[part] += parts[part - 1] }
    }

    /// The smallest block around `key`.
    func value(at key: Key) -> UInt32? {
        // The number of ranges that begin at `key` or before.
        var low = 0
        var count = starts.count
        if !parts.isEmpty {
            let part = Int(truncatingIfNeeded: key >> Self.shift)
            low = Int(parts[part])
            count = Int(parts[part + 1]) - low
        }
        while count > 0 {
            let half = count / 2
            if starts[low + half] <= key {
                low += half + 1
                count -= half + 1
            } else {
                count = half
            }
        }
        guard low > 0 else { return nil }
        let value = values[low - 1]
        return value == Self.nothing ? nil : value
    }

    /// Behind the end of the smallest open block the next larger one goes on.
    private mutating func close(_ open: inout [Block]) {
        guard let ended = open.popLast(), ended.last != .max else { return }
        begin(ended.last + 1, open.last?.value ?? Self.nothing)
    }

    private mutating func begin(_ start: Key, _ value: UInt32) {
        if starts.last == start {
            values[values.count - 1] = value
        } else {
            starts.append(start)
            values.append(value)
        }
    }
}
