/// The text that all series of a family share: each line of a series is a head, the series' own label pairs, a tail,
/// and the value. A record holds its pairs only, so a scrape reads little memory: the templates stay in the processor's
/// first cache while a family is printed.
///
/// `@unchecked Sendable`, because the memory is written in `init` only.
@safe
final class LineTemplates: @unchecked Sendable {
    private let memory: UnsafeMutableRawPointer
    /// Lines of a series.
    let lineCount: Int
    /// Bytes of all heads and tails together.
    let textBytes: Int

    /// One head and one tail for each line, in the order of the page.
    init(_ templates: [(head: [UInt8], tail: [UInt8])]) {
        lineCount = templates.count
        textBytes = templates.reduce(0) { $0 + $1.head.count + $1.tail.count }
        let bytes = templates.count * 8 + textBytes + ByteOutput.wideSlack
        unsafe memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        var cursor = unsafe memory
        for piece in templates.flatMap({ [$0.head, $0.tail] }) {
            unsafe cursor.storeBytes(of: UInt32(piece.count), as: UInt32.self)
            unsafe piece.withUnsafeBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(start: cursor + 4, count: bytes.count).copyMemory(from: bytes)
            }
            unsafe cursor += 4 + piece.count
        }
    }

    deinit {
        unsafe memory.deallocate()
    }

    /// The head of the first line; the other pieces follow it. See ``ByteOutput/writePiece(_:)``.
    var first: UnsafeRawPointer {
        @inline(__always) get { unsafe UnsafeRawPointer(memory) }
    }
}

extension ByteOutput {
    /// Appends a piece of ``LineTemplates`` and moves on to the next; room was reserved.
    @inline(__always)
    mutating func writePiece(_ cursor: inout UnsafeRawPointer) {
        let length = unsafe Int(cursor.loadUnaligned(as: UInt32.self))
        unsafe writeWide(cursor + 4, count: length)
        unsafe cursor += 4 &+ length
    }

    /// Appends all of a line but its value.
    @inline(__always)
    mutating func writeLineStart(_ cursor: inout UnsafeRawPointer, pairs: UnsafeRawBufferPointer) {
        unsafe writePiece(&cursor)
        if let start = pairs.baseAddress { unsafe writeWide(start, count: pairs.count) }
        unsafe writePiece(&cursor)
    }
}
