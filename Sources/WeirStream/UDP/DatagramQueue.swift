/// Datagrams that wait for their session to be ready, in order, bounded in number and bytes. They are copies: this is
/// not the path of a session that is ready.
struct DatagramQueue {
    static let mostDatagrams = 64
    static let mostBytes = 128 << 10

    private(set) var datagrams: [[UInt8]] = []
    private(set) var byteCount = 0

    var count: Int { datagrams.count }
    var isEmpty: Bool { datagrams.isEmpty }

    /// False where there is no room.
    mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard datagrams.count < Self.mostDatagrams, byteCount + bytes.count <= Self.mostBytes else {
            return false
        }
        unsafe datagrams.append(Array(bytes))
        byteCount += bytes.count
        return true
    }

    mutating func removeAll() {
        datagrams = []
        byteCount = 0
    }
}
