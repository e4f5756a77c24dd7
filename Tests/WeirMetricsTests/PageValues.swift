import WeirMetrics

extension ScrapeBuffer {
    /// The value of the first line that begins with `start`, without allocating: for threads that must not wait for the
    /// allocator's locks either. Only digits are read; nil where there is no such line.
    borrowing func value(of start: StaticString) -> UInt64? {
        withBytes { page in
            let wanted = UnsafeRawBufferPointer(start: start.utf8Start, count: start.utf8CodeUnitCount)
            var line = 0
            while line + wanted.count < page.count {
                var position = 0
                while position < wanted.count, page[line + position] == wanted[position] { position += 1 }
                if position == wanted.count { return Self.number(page, at: line + position) }
                while line < page.count, page[line] != UInt8(ascii: "\n") { line += 1 }
                line += 1
            }
            return nil
        }
    }

    private static func number(_ page: Span<UInt8>, at start: Int) -> UInt64 {
        var (position, value) = (start, UInt64(0))
        while position < page.count, page[position] >= UInt8(ascii: "0"), page[position] <= UInt8(ascii: "9") {
            value = value &* 10 &+ UInt64(page[position] - UInt8(ascii: "0"))
            position += 1
        }
        return value
    }
}
