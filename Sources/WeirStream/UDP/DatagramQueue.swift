/// The datagrams that wait for their session to be ready, in order, bounded in number and bytes. They are copies; a
/// session that is ready does not use the queue.
struct DatagramQueue {
    static let maxDatagrams = 64
    static let maxBytes = 128 << 10

    private(set) var datagrams: [[UInt8]] = []
    private(set) var byteCount = 0

    var count: Int { datagrams.count }
    var isEmpty: Bool { datagrams.isEmpty }

    /// Adds a copy, with `headroom` bytes in front of it. Returns false where the queue is full.
    mutating func append(_ bytes: UnsafeRawBufferPointer, headroom: Int) -> Bool {
        let count = headroom + bytes.count
        guard datagrams.count < Self.maxDatagrams, byteCount + count <= Self.maxBytes else { return false }
        if headroom == 0 {
            unsafe datagrams.append(Array(bytes))
        } else {
            unsafe datagrams.append(Array(repeating: 0, count: headroom) + bytes)
        }
        byteCount += count
        return true
    }

    /// Calls `body` with the bytes of a datagram behind its headroom, which `body` may write to.
    static func withBytes(of datagram: [UInt8], headroom: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        if headroom == 0 { return unsafe datagram.withUnsafeBytes { unsafe body($0) } }
        // A header is written in front of it, so the array must be uniquely referenced.
        var datagram = datagram
        unsafe datagram.withUnsafeMutableBytes { bytes in
            unsafe body(UnsafeRawBufferPointer(rebasing: bytes[headroom...]))
        }
    }

    mutating func removeAll() {
        datagrams = []
        byteCount = 0
    }
}
