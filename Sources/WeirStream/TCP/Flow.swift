import LinuxIO

/// One direction of a relayed connection.
struct Flow {
    /// Bytes read from its source.
    var byteCount: UInt64 = 0
    /// Read, and not yet taken by the sink.
    var backlog = Backlog()
    /// The same for spliced bytes: only while there are some.
    var pipe: Pipe?
    /// The same for bytes that were shown to the hook, and counted, and wait in the source's socket.
    var announced: Int32 = 0
    /// How its bytes move, and for how long they have suggested the other way.
    var pace = Pace()
    /// The source will send no more.
    var isSourceAtEnd = false
    /// The sink was told so.
    var isFinished = false
    /// A hook holds it back.
    var isThrottled = false

    /// Bytes read, and not yet taken by the sink.
    var keptBytes: Int { backlog.count + (pipe?.count ?? 0) + Int(announced) }
    var keepsNothing: Bool { backlog.isEmpty && pipe == nil && announced == 0 }
}

/// Whether a direction's bytes are copied or spliced. Splicing costs a call more for each piece, and saves two copies: it
/// pays for a flow that fills the buffers again and again.
///
/// One byte, because every connection has two: below ``bulk`` how many reads in a row filled the buffer, from there on how
/// many pieces in a row were small, or that the sockets cannot be spliced.
struct Pace {
    private var state: UInt8 = 0

    /// After so many reads in a row that filled the buffer, the next ones are spliced.
    private static let bulk: UInt8 = 4
    /// After so many small pieces in a row, the next ones are copied.
    private static let smallPieces: UInt8 = 3
    private static let smallPiece = 32 << 10
    private static let neverBulk = UInt8.max

    var isBulk: Bool { state >= Self.bulk && state != Self.neverBulk }

    /// Notes a read of `count` bytes of at most `limit`.
    mutating func noteRead(_ count: Int, limit: Int) {
        guard state < Self.bulk else { return }
        state = count == limit && limit >= Self.smallPiece ? state + 1 : 0
    }

    /// Notes a spliced piece.
    mutating func notePiece(_ count: Int) {
        guard isBulk else { return }
        state = count < Self.smallPiece ? state + 1 : Self.bulk
        if state == Self.bulk + Self.smallPieces { state = 0 }
    }

    /// These sockets cannot be spliced.
    mutating func forbidBulk() { state = Self.neverBulk }
}
