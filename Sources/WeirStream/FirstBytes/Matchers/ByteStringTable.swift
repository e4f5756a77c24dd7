/// A hash table of byte strings, built once. Each has the index at which it was given.
///
/// The hash runs from the last byte to the first, so that one pass over a name has the hashes of all its endings. Its
/// keys come from the configuration: a client cannot make them collide.
struct ByteStringTable: Sendable {
    /// The hash of no bytes (FNV-1a).
    static let emptyHash: UInt64 = 0xcbf2_9ce4_8422_2325

    /// Returns the hash of bytes with one more byte in front of them.
    static func hash(_ byte: UInt8, before hash: UInt64) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }

    private struct Entry {
        let hash: UInt64
        let key: [UInt8]
    }

    private let entries: [Entry]
    /// The indices of entries by hash, at least twice as many slots as entries; negative where a slot is free.
    private let slots: [Int32]

    /// Creates a table of distinct keys.
    init(_ keys: [[UInt8]]) {
        entries = keys.map { key in
            Entry(hash: key.reversed().reduce(Self.emptyHash) { Self.hash($1, before: $0) }, key: key)
        }
        var count = 2
        while count < 2 * keys.count { count *= 2 }
        var slots = [Int32](repeating: -1, count: count)
        for (index, entry) in entries.enumerated() {
            var slot = Self.firstSlot(entry.hash, of: count)
            while slots[slot] >= 0 { slot = (slot + 1) & (count - 1) }
            slots[slot] = Int32(index)
        }
        self.slots = slots
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Returns the index of the bytes from `start`, which have this hash; nil where the table does not have them.
    func index(of bytes: Span<UInt8>, from start: Int = 0, hash: UInt64) -> Int? {
        var slot = Self.firstSlot(hash, of: slots.count)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].hash == hash, Self.isEqual(bytes, from: start, entries[index].key) { return index }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Returns the index of the bytes; nil where the table does not have them.
    func index(of bytes: Span<UInt8>) -> Int? {
        var hash = Self.emptyHash
        for index in (0..<bytes.count).reversed() { hash = Self.hash(bytes[index], before: hash) }
        return self.index(of: bytes, hash: hash)
    }

    private static func isEqual(_ bytes: Span<UInt8>, from start: Int, _ key: [UInt8]) -> Bool {
        guard key.count == bytes.count - start else { return false }
        for index in 0..<key.count where bytes[start + index] != key[index] { return false }
        return true
    }

    private static func firstSlot(_ hash: UInt64, of count: Int) -> Int {
        Int(truncatingIfNeeded: hash ^ hash >> 32) & (count - 1)
    }
}
