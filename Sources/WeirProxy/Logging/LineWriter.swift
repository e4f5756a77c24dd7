import Glibc
import LinuxIO

/// Writes whole lines to a descriptor. The rest of a line that was begun (the disk is full) is kept and written before
/// anything else, so that no line is glued to a torn one. Confined to the log's thread.
struct LineWriter {
    private static let newline = UInt8(ascii: "\n")

    /// The rest of the last line, which was begun and not written to its end.
    private(set) var rest: [UInt8] = []

    /// Writes lines, each with its end. `write` is given a part and returns how much of it was taken; less than all
    /// means that the descriptor takes no more now.
    /// - Returns: the number of lines that are lost.
    mutating func write(_ lines: [UInt8], using write: (ArraySlice<UInt8>) -> Int) -> UInt64 {
        if !rest.isEmpty {
            rest.removeFirst(write(rest[...]))
            if !rest.isEmpty { return Self.count(lines[...]) }
        }
        let taken = write(lines[...])
        guard taken < lines.count else { return 0 }
        var left = lines[taken...]
        if taken > 0, lines[taken - 1] != Self.newline {
            let end = left.firstIndex(of: Self.newline).map { $0 + 1 } ?? left.endIndex
            rest = Array(left[..<end])
            left = left[end...]
        }
        return Self.count(left)
    }

    /// The descriptor is of another file now. The rest of a line that was begun stays missing in the old one.
    /// - Returns: the number of lines that are lost.
    mutating func forgetRest() -> UInt64 {
        defer { rest = [] }
        return rest.isEmpty ? 0 : 1
    }

    private static func count(_ lines: ArraySlice<UInt8>) -> UInt64 {
        UInt64(lines.reduce(0) { $0 + ($1 == newline ? 1 : 0) })
    }

    /// write(2) until everything is out, or the descriptor fails; returns how much is out.
    static func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: CInt) -> Int {
        unsafe bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[offset...])
                let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count > 0 {
                    offset += count
                } else if errno == EAGAIN {
                    // A nonblocking pipe that another process opened: wait until it takes more.
                    _ = Poll.wait(for: .writable, on: descriptor, within: .seconds(1))
                } else if errno != EINTR {
                    break
                }
            }
            return offset
        }
    }
}
