/// The part of a series that only protobuf scrapes read, in memory of its own: the text formats are fast because
/// records lie close together. Immutable; freed with the record.
///
/// `@unchecked Sendable`, for that reason.
@safe
struct SeriesProtobufData: @unchecked Sendable, BitwiseCopyable {
    private struct Head {
        let native: NativeCells?
        let protobufCount: UInt32
        let histogramStartCount: UInt32
    }

    private let raw: UnsafeMutableRawPointer

    init(in arena: SeriesRecordArena, native: NativeCells?, protobuf: [UInt8], histogramStart: [UInt8] = []) {
        let text = protobuf + histogramStart
        unsafe raw = arena.allocate(bytes: MemoryLayout<Head>.size + text.count)
        let head = Head(
            native: native, protobufCount: UInt32(protobuf.count), histogramStartCount: UInt32(histogramStart.count))
        unsafe raw.initializeMemory(as: Head.self, to: head)
        unsafe text.withUnsafeBytes { bytes in
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

    /// The bytes that precede its values in a protobuf message; see ``ProtobufFormat/prefix(of:labels:began:)``.
    var protobuf: UnsafeRawBufferPointer {
        @inline(__always) get {
            unsafe UnsafeRawBufferPointer(start: raw + MemoryLayout<Head>.size, count: Int(head.protobufCount))
        }
    }

    /// See ``ProtobufFormat/histogramStart(of:began:)``.
    var histogramStart: UnsafeRawBufferPointer {
        let head = head
        return unsafe UnsafeRawBufferPointer(
            start: raw + MemoryLayout<Head>.size + Int(head.protobufCount), count: Int(head.histogramStartCount))
    }

    /// Gives the memory back to the arena that it came from; no scrape may hold the record.
    func free(in arena: SeriesRecordArena) {
        let head = head
        let textCount = Int(head.protobufCount) + Int(head.histogramStartCount)
        unsafe arena.free(raw, bytes: MemoryLayout<Head>.size + textCount)
    }
}
