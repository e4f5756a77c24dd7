/// The bounds of a histogram, in memory that lives as long as the process, shared by all its series.
///
/// `@unchecked Sendable`, because the memory is written before the value exists and never again, and never freed.
@safe @usableFromInline
struct BucketBounds: @unchecked Sendable {
    /// The bounds, then `UInt64.max`, then for each number of significant bits (0 to 64) the count of bounds that have
    /// fewer, 16 bits each.
    @usableFromInline let bounds: UnsafePointer<UInt64>
    @usableFromInline let count: Int
    /// The maximum number of bounds with the same number of significant bits; -1 where a binary search takes fewer
    /// steps.
    @usableFromInline let sameLength: Int

    init(_ values: [UInt64]) {
        let lengths = values.map { 64 - $0.leadingZeroBitCount }
        let maxSharing = (0...64).map { length in lengths.count { $0 == length } }.max() ?? 0
        sameLength = maxSharing <= 2 ? maxSharing : -1
        count = values.count
        let words = unsafe CellStorage.allocateForever(words: values.count + 1 + 17)
        for (position, value) in (values + [.max]).enumerated() {
            unsafe (words + position).pointee.store(value, ordering: .relaxed)
        }
        unsafe bounds = UnsafeRawPointer(words).assumingMemoryBound(to: UInt64.self)
        let table = unsafe UnsafeMutableRawPointer(words + values.count + 1)
        for length in 0...64 {
            let shorter = lengths.count { $0 < length }
            unsafe table.storeBytes(of: UInt16(shorter), toByteOffset: length * 2, as: UInt16.self)
        }
    }

    /// The index of the bucket of `value`: the number of bounds below it. No branch depends on the value: durations are
    /// spread, and one mispredicted branch would cost more than the whole search.
    @inlinable @inline(__always)
    func bucket(of value: UInt64) -> Int {
        guard sameLength >= 0 else { return halve(value) }
        // Usual bounds (1, 2.5, 5, 10 …) rarely share their number of bits, so that the table leaves one or two to
        // compare with.
        let table = unsafe UnsafeRawPointer(bounds + (count &+ 1))
        let length = 64 &- value.leadingZeroBitCount
        var found = unsafe Int(table.load(fromByteOffset: length &* 2, as: UInt16.self))
        for _ in 0..<sameLength { found &+= unsafe bounds[found] < value ? 1 : 0 }
        return found
    }

    /// The same by binary search, for bounds that lie close together.
    @inlinable @inline(__always)
    func halve(_ value: UInt64) -> Int {
        var start = 0
        var length = count
        while length > 1 {
            let half = length &>> 1
            start = unsafe bounds[start &+ half &- 1] < value ? start &+ half : start
            length &-= half
        }
        return length == 0 ? 0 : unsafe start &+ (bounds[start] < value ? 1 : 0)
    }
}
