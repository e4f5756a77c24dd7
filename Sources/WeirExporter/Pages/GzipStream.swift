import CZlib

/// One deflate stream with a gzip frame (RFC 1952), used again and again: its 268 KB of tables are taken once.
@safe final class GzipStream {
    /// The `windowBits` of zlib: 15, and 16 more for the gzip frame.
    private static let gzipWindowBits: CInt = 15 + 16
    /// zlib's default.
    private static let memoryLevel: CInt = 8
    private static let minOutputBytes = 4096

    // zlib keeps a pointer back to this, so it must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private let isUsable: Bool

    /// Level 1: most of the gain at a fraction of the time, which is right for a page that is made for one reading.
    init(level: CInt = 1) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let code = unsafe deflateInit2_(
            stream, level, Z_DEFLATED, Self.gzipWindowBits, Self.memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            CInt(MemoryLayout<z_stream>.size))
        isUsable = code == Z_OK
    }

    deinit {
        if isUsable { unsafe deflateEnd(stream) }
        unsafe stream.deallocate()
    }

    /// How far a page is that is compressed in pieces.
    struct Progress {
        /// Bytes that were compressed.
        var consumed = 0
        /// Bytes of the result so far.
        var produced = 0
    }

    /// Begins a stream, and forgets the one before.
    /// - Returns: false where zlib has no memory.
    func begin() -> Bool {
        guard isUsable else { return false }
        return unsafe deflateReset(stream) == Z_OK
    }

    /// Compresses at most `limit` further bytes of `input` to where `progress` is in `output`, which grows where it
    /// must and never shrinks. The end of `input` ends the stream.
    /// - Returns: whether that was the end; nil where zlib has no memory.
    func compress(
        _ input: [UInt8], _ progress: inout Progress, atMost limit: Int, into output: inout [UInt8]
    ) -> Bool? {
        let end = min(input.count, progress.consumed + min(limit, input.count))
        let isLast = end == input.count
        while isLast || progress.consumed < end {
            let (consumed, produced) = (progress.consumed, progress.produced)
            if output.count - produced < Self.minOutputBytes {
                output += repeatElement(0, count: max(Self.minOutputBytes, output.count))
            }
            let room = min(output.count - produced, Int(CUnsignedInt.max))
            let chunk = min(end - consumed, Int(CUnsignedInt.max))
            let flush = isLast && consumed + chunk == end ? Z_FINISH : Z_NO_FLUSH
            let code = unsafe input.withUnsafeBufferPointer { source in
                unsafe output.withUnsafeMutableBufferPointer { target in
                    unsafe stream.pointee.next_in = unsafe UnsafeMutablePointer(
                        mutating: source.baseAddress.map { unsafe $0 + consumed })
                    unsafe stream.pointee.avail_in = CUnsignedInt(chunk)
                    unsafe stream.pointee.next_out = unsafe target.baseAddress.map { unsafe $0 + produced }
                    unsafe stream.pointee.avail_out = CUnsignedInt(room)
                    return unsafe deflate(stream, flush)
                }
            }
            progress.consumed += chunk - Int(unsafe stream.pointee.avail_in)
            progress.produced += room - Int(unsafe stream.pointee.avail_out)
            if code == Z_STREAM_END { return true }
            guard code == Z_OK || code == Z_BUF_ERROR else { return nil }
        }
        return false
    }
}
