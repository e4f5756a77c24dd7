/// Datagrams that wait for their session to be ready, in order, bounded in number and bytes. They are copies: this is
/// not the path of a session that is ready.
struct DatagramQueue {
    static let mostDatagrams = 64
    static let mostBytes = 128 << 10

    private(set) var datagrams: [[UInt8]] = []
    private(set) var byteCount = 0

    var count: Int { datagrams.count }
    var isEmpty: Bool { datagrams.isEmpty }

    /// Keeps a copy, with `headroom` bytes in front of it. False where there is no room.
    mutating func append(_ bytes: UnsafeRawBufferPointer, headroom: Int) -> Bool {
        let count = headroom + bytes.count
        guard datagrams.count < Self.mostDatagrams, byteCount + count <= Self.mostBytes else { return false }
        if headroom == 0 {
            unsafe datagrams.append(Array(bytes))
        } else {
            unsafe datagrams.append(Array(repeating: 0, count: headroom) + bytes)
        }
        byteCount += count
        return true
    }

    mutating func removeAll() {
        datagrams = []
        byteCount = 0
    }
}
