/// The layout of a native histogram's cells: exponential buckets, as Prometheus defines them, and the classic ones of
/// the family, both counted in **one** row of cells. Where a classic bound falls into an exponential bucket, that
/// bucket is split into two cells; so each observation is one addition, and both kinds of buckets are sums of the same
/// readings, which agree exactly in every scrape.
///
/// With *n* = 2^schema buckets to each power of two, bucket *i* holds the values in (2^((i−1)/n), 2^(i/n)]. The row has
/// ``octaves`` powers of two and before them the zero bucket, for all that is not above the threshold. What is above
/// the last bucket is counted in it: for seconds that is half a year, from a threshold of one microsecond.
///
/// Source: Prometheus, "Native histograms" specification, "Schema" and "Zero bucket".
@safe
struct NativeLayout {
    /// Schemas that can be chosen: buckets grow by a factor of 16 at the lowest, of 1.0027 at the highest.
    static let schemas = -2...8
    /// Powers of two that have buckets of their own.
    static let octaves = 44
    /// No bucket lies below 2^-20, a millionth, also where the raw unit is smaller.
    private static let lowestExponent = -20

    let schema: Int
    /// The zero bucket counts values up to this one, inclusive. In printed units.
    let zeroThreshold: Double
    /// Prometheus' number of the first bucket above the zero bucket.
    let lowestIndex: Int
    /// Number of buckets above the zero bucket.
    let bucketCount: Int
    /// Number of classic buckets without `+Inf`.
    let classicCount: Int
    /// Number of cells in each shard.
    let cellCount: Int
    /// Words between the same cell of two adjacent shards, so that no pair of cache lines that is prefetched as one
    /// belongs to two.
    let stride: Int
    let shardCount: Int

    /// Raw units in one printed unit.
    private let divisor: Double
    /// A power of two has 2^fineShift buckets, or 2^coarseShift powers of two have one.
    private let fineShift: Int
    private let coarseShift: Int
    /// The significands of the bounds within a power of two, without the hidden one, and `UInt64.max` behind them.
    private let significands: UnsafePointer<UInt64>
    /// For each half of a 2^fineShift-th of the significands: how many bounds are below it.
    private let boundsBelow: UnsafePointer<UInt64>
    /// Bits of a significand that are not part of such a half's number.
    private let sliceShift: UInt64
    /// For the zero bucket, each bucket, and the end: its first cell.
    private let firstCells: UnsafePointer<UInt64>
    /// For each cell the classic bound that ends it, in the raw unit; the last cell of each bucket has `UInt64.max`.
    private let upperBounds: UnsafePointer<UInt64>
    /// For each classic bound the cell that it ends.
    private let classicEnds: UnsafePointer<UInt64>

    private init(schema: Int, scale: MetricDescriptor.Scale, classic: [UInt64], shardCount: Int) {
        precondition(Self.schemas.contains(schema), "no such schema")
        self.schema = schema
        self.shardCount = shardCount
        fineShift = Swift.max(schema, 0)
        coarseShift = Swift.max(-schema, 0)
        divisor = scale.divisor
        // Below the smallest raw value but zero, unless that is below 2^-20; and a bound of the schema.
        var lowest = Swift.max(Int((1 / scale.divisor).nextDown.exponent), Self.lowestExponent)
        lowest = (lowest >> coarseShift) << coarseShift
        zeroThreshold = Double(sign: .plus, exponent: lowest, significand: 1)
        lowestIndex = ((lowest << fineShift) >> coarseShift) + 1
        bucketCount = (Self.octaves << fineShift) >> coarseShift
        classicCount = classic.count
        cellCount = bucketCount + 1 + classic.count
        stride = (cellCount + 15) / 16 * 16 + 16

        let bounds = Self.significands(perOctave: 1 << fineShift) + [.max]
        let slices = 2 << fineShift
        sliceShift = UInt64(51 - fineShift)
        let words = bounds.count + slices + bucketCount + 2 + cellCount + classic.count
        let table = unsafe UnsafeMutableRawPointer(CellStorage.allocateForever(words: words))
            .bindMemory(to: UInt64.self, capacity: words)
        let below = unsafe table + bounds.count
        let starts = unsafe below + slices
        let uppers = unsafe starts + bucketCount + 2
        let ends = unsafe uppers + cellCount
        unsafe significands = UnsafePointer(table)
        unsafe boundsBelow = UnsafePointer(below)
        unsafe firstCells = UnsafePointer(starts)
        unsafe upperBounds = UnsafePointer(uppers)
        unsafe classicEnds = UnsafePointer(ends)
        for (position, bound) in bounds.enumerated() { unsafe table[position] = bound }
        for slice in 0..<slices {
            let start = UInt64(slice) << sliceShift
            unsafe below[slice] = UInt64(bounds.count { $0 < start })
        }

        var cell = 0
        var next = 0
        for bucket in 0...bucketCount {
            unsafe starts[bucket] = UInt64(cell)
            while next < classic.count, self.bucket(of: classic[next]) == bucket {
                unsafe ends[next] = UInt64(cell)
                unsafe uppers[cell] = classic[next]
                next += 1
                cell += 1
            }
            unsafe uppers[cell] = .max
            cell += 1
        }
        unsafe starts[bucketCount + 1] = UInt64(cell)
    }

    /// A layout in memory that lives as long as the process, as all handles may.
    static func make(
        schema: Int, scale: MetricDescriptor.Scale, classic: [UInt64], shardCount: Int
    ) -> UnsafePointer<NativeLayout> {
        let words = (MemoryLayout<NativeLayout>.stride + 7) / 8
        let memory = unsafe UnsafeMutableRawPointer(CellStorage.allocateForever(words: words))
        let layout = NativeLayout(schema: schema, scale: scale, classic: classic, shardCount: shardCount)
        return unsafe UnsafePointer(memory.initializeMemory(as: NativeLayout.self, to: layout))
    }

    /// 2^(0/n), 2^(1/n), … below 2, as the bits behind the point. Products of square roots: each is exact to a few
    /// units in the last place, and no bound but the first is a value that an observation can have.
    private static func significands(perOctave count: Int) -> [UInt64] {
        (0..<count).map { position in
            var bound = 1.0
            var root = 2.0
            var bit = count >> 1
            while bit > 0 {
                root = root.squareRoot()
                if position & bit != 0 { bound *= root }
                bit >>= 1
            }
            return bound.significandBitPattern
        }
    }

    /// The bucket of a raw value: 0 is the zero bucket, ``bucketCount`` the last. It rises with the value.
    ///
    /// The exponent of the printed value names the power of two, its significand the bucket in it: the number of bounds
    /// below. The narrowest bucket is wider than half of the average, so that at most one bound lies within the slice
    /// that the first bits name, and one comparison, without a branch, says on which side the value is.
    @inline(__always)
    func bucket(of raw: UInt64) -> Int {
        let value = Double(raw) / divisor
        let significand = value.significandBitPattern
        let slice = Int(truncatingIfNeeded: significand &>> sliceShift)
        var below = unsafe Int(truncatingIfNeeded: boundsBelow[slice])
        unsafe below &+= significands[below] < significand ? 1 : 0
        // Zero has the lowest exponent of all, and so ends in the zero bucket, too.
        let exponent = Int(truncatingIfNeeded: value.exponentBitPattern) &- 1023
        let index = ((exponent &<< fineShift) &+ below &+ ((1 &<< coarseShift) &- 1)) &>> coarseShift
        return Swift.min(Swift.max(index &- lowestIndex &+ 1, 0), bucketCount)
    }

    /// The cell that counts a raw value.
    @inline(__always)
    func cell(of raw: UInt64) -> Int {
        var cell = unsafe Int(truncatingIfNeeded: firstCells[bucket(of: raw)])
        // Once for each classic bound in this bucket that is below: hardly ever.
        while unsafe upperBounds[cell] < raw { cell &+= 1 }
        return cell
    }

    /// The cells of a bucket; 0 is the zero bucket.
    func cells(ofBucket bucket: Int) -> Range<Int> {
        unsafe Int(firstCells[bucket])..<Int(firstCells[bucket + 1])
    }

    /// The cells of a classic bucket, `+Inf` last.
    func cells(ofClassic bucket: Int) -> Range<Int> {
        let start = unsafe bucket == 0 ? 0 : Int(classicEnds[bucket - 1]) + 1
        return start..<(bucket == classicCount ? cellCount : unsafe Int(classicEnds[bucket]) + 1)
    }
}

extension MetricDescriptor.Scale {
    /// Raw units in one printed unit.
    var divisor: Double {
        var divisor = 1.0
        for _ in 0..<decimalDigits { divisor *= 10 }
        return divisor
    }

    /// The printed number, as near as a double comes: exact division of an exact integer below 2^53, and never falling
    /// while the raw value rises.
    func double(_ raw: UInt64) -> Double { Double(raw) / divisor }
    /// The same for a signed value.
    func double(signed raw: Int64) -> Double { Double(raw) / divisor }
}
