/// What only some scrapes need of a series, in memory of its own: records that lie close together are what makes the text
/// formats fast. Immutable; freed with the record.
///
/// `@unchecked Sendable`, for that reason.
@safe
struct SeriesAppendix: @unchecked Sendable, BitwiseCopyable {
    private struct Head {
        let native: NativeCells?
        let protobufCount: Int
    }

    private let raw: UnsafeMutableRawPointer

    init(in arena: RecordArena, native: NativeCells?, protobuf: [UInt8]) {
        unsafe raw = arena.allocate(bytes: MemoryLayout<Head>.size + protobuf.count)
        unsafe raw.initializeMemory(as: Head.self, to: Head(native: native, protobufCount: protobuf.count))
        unsafe protobuf.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(start: raw + MemoryLayout<Head>.size, count: bytes.count)
                .copyMemory(from: bytes)
        }
    }

    private var head: Head {
        @inline(__always) get { unsafe raw.assumingMemoryBound(to: Head.self).pointee }
    }

    /// Of a native histogram: the cells of its buckets.
    var native: NativeCells? {
        @inline(__always) get { head.native }
    }

    /// What precedes its values in a protobuf message; see ``ProtobufFormat/prefix(of:labels:)``.
    var protobuf: UnsafeRawBufferPointer {
        @inline(__always) get {
            unsafe UnsafeRawBufferPointer(start: raw + MemoryLayout<Head>.size, count: head.protobufCount)
        }
    }

    /// Gives the memory back to the arena that it came from; no scrape may hold the record.
    func free(in arena: RecordArena) {
        unsafe arena.free(raw, bytes: MemoryLayout<Head>.size + head.protobufCount)
    }
}
