import CZlib

/// One deflate stream with a gzip frame (RFC 1952), reused, so that its 268 KB of tables are allocated once.
@safe final class GzipStream {
    /// zlib's `windowBits`: 15, and 16 more for the gzip frame.
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

    /// Compresses `input` into the start of `output`, which grows where it must and never shrinks.
    /// - Returns: how many bytes of `output` are the result; nil where zlib has no memory.
    func compress(_ input: [UInt8], into output: inout [UInt8]) -> Int? {
        guard isUsable, unsafe deflateReset(stream) == Z_OK else { return nil }
        var produced = 0
        var consumed = 0
        while true {
            if output.count - produced < Self.minOutputBytes {
                output += repeatElement(0, count: max(Self.minOutputBytes, output.count))
            }
            let room = min(output.count - produced, Int(CUnsignedInt.max))
            let chunk = min(input.count - consumed, Int(CUnsignedInt.max))
            let flush = consumed + chunk == input.count ? Z_FINISH : Z_NO_FLUSH
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
            consumed += chunk - Int(unsafe stream.pointee.avail_in)
            produced += room - Int(unsafe stream.pointee.avail_out)
            if code == Z_STREAM_END { return produced }
            guard code == Z_OK || code == Z_BUF_ERROR else { return nil }
        }
    }
}
