/// The memory of the records of one family. A scrape walks a family from its first series to its last, so its records
/// lie one behind the other: what the processor fetches ahead is what is read next. Confined to the registry's mutex.
///
/// Memory comes in slabs, which are freed with the arena only. Freed records are kept by size and reused, so that an
/// arena is never larger than the maximum that its family needed at once, counted for each size.
@safe
final class SeriesRecordArena {
    /// Records begin at multiples of this and are as long, so that records of about the same length share a free list.
    private static let granule = 16
    private static let minSlabBytes = 1024
    private static let maxSlabBytes = 64 * 1024

    private var slabs: [UnsafeMutableRawPointer] = unsafe []
    private var next: UnsafeMutableRawPointer?
    private var bytesLeft = 0
    private var freeRecords: [Int: [UnsafeMutableRawPointer]] = unsafe [:]
    /// Bytes of all slabs.
    private(set) var allocatedBytes = 0

    deinit {
        while let slab = unsafe slabs.popLast() { unsafe slab.deallocate() }
    }

    /// At least that many bytes with any contents, aligned for every type.
    func allocate(bytes: Int) -> UnsafeMutableRawPointer {
        let bytes = Self.rounded(bytes)
        if let reused = unsafe freeRecords[bytes]?.popLast() { return unsafe reused }
        if bytesLeft < bytes { addSlab(for: bytes) }
        guard let start = unsafe next else { preconditionFailure("a slab was just added") }
        unsafe next = start + bytes
        bytesLeft -= bytes
        return unsafe start
    }

    /// Takes back memory of ``allocate(bytes:)`` for the same number of bytes.
    func free(_ record: UnsafeMutableRawPointer, bytes: Int) {
        unsafe freeRecords[Self.rounded(bytes), default: []].append(record)
    }

    /// Slabs double, so that a family of one series takes little. The rest of the last slab is lost: less than one
    /// record of each slab.
    private func addSlab(for bytes: Int) {
        let bytes = max(bytes, min(max(allocatedBytes, Self.minSlabBytes), Self.maxSlabBytes))
        let slab = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: Self.granule)
        unsafe slabs.append(slab)
        unsafe next = slab
        bytesLeft = bytes
        allocatedBytes += bytes
    }

    private static func rounded(_ bytes: Int) -> Int {
        (bytes + granule - 1) / granule * granule
    }
}
