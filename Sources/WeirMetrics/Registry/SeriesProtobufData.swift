/// The part of a series that only protobuf scrapes read, in memory of its own: the text formats are fast because
/// records lie close together. Immutable; freed with the record.
///
/// `@unchecked Sendable`, for that reason.
@safe
struct SeriesProtobufData: @unchecked Sendable, BitwiseCopyable {
    private struct Head {
        let native: NativeCells?
        let protobufCount: Int
    }

    private let raw: UnsafeMutableRawPointer

    init(in arena: SeriesRecordArena, native: NativeCells?, protobuf: [UInt8]) {
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

    /// The bucket cells; nil unless this is a native histogram.
    var native: NativeCells? {
        @inline(__always) get { head.native }
    }

    /// The bytes that precede its values in a protobuf message; see ``ProtobufFormat/prefix(of:labels:)``.
    var protobuf: UnsafeRawBufferPointer {
        @inline(__always) get {
            unsafe UnsafeRawBufferPointer(start: raw + MemoryLayout<Head>.size, count: head.protobufCount)
        }
    }

    /// Gives the memory back to the arena that it came from; no scrape may hold the record.
    func free(in arena: SeriesRecordArena) {
        unsafe arena.free(raw, bytes: MemoryLayout<Head>.size + head.protobufCount)
    }
}
