/// The bounds of a histogram, in memory that lives as long as the process, shared by all its series.
///
/// `@unchecked Sendable`, because the memory is written before the value exists and never again, and never freed.
@safe @usableFromInline
struct BucketBounds: @unchecked Sendable {
    @usableFromInline let bounds: UnsafePointer<UInt64>
    @usableFromInline let count: Int

    init(_ values: [UInt64]) {
        let words = unsafe CellStorage.allocateForever(words: Swift.max(values.count, 1))
        for (position, value) in values.enumerated() {
            unsafe (words + position).pointee.store(value, ordering: .relaxed)
        }
        unsafe bounds = UnsafeRawPointer(words).assumingMemoryBound(to: UInt64.self)
        count = values.count
    }

    /// Index of the bucket that `value` belongs to: the number of bounds below it. Halving without branches that depend
    /// on the value: durations are spread, and each mispredicted branch would cost more than the whole search.
    @inlinable @inline(__always)
    func bucket(of value: UInt64) -> Int {
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
