/// Cuts a stream of bytes into lines. A line that is longer than its bound is left out as a whole.
package struct EventLines {
    /// The longest line; an event carries all labels of its container.
    package static let maxLength = 1 << 20

    private var pending: [UInt8] = []
    private var isSkipping = false

    /// No bytes yet.
    package init() {}

    /// Takes bytes, and returns the lines that they complete, without empty ones. `isCut` says that one was too long.
    package mutating func take(_ bytes: some Sequence<UInt8>) -> (lines: [[UInt8]], isCut: Bool) {
        var lines: [[UInt8]] = []
        var isCut = false
        for byte in bytes {
            if byte == 0x0A {
                if !isSkipping, !pending.isEmpty { lines.append(pending) }
                pending = []
                isSkipping = false
            } else if !isSkipping {
                if pending.count >= Self.maxLength {
                    pending = []
                    (isSkipping, isCut) = (true, true)
                } else {
                    pending.append(byte)
                }
            }
        }
        return (lines, isCut)
    }
}
