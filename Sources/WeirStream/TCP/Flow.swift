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
struct Pace {
    private(set) var isBulk = false
    private var mayBeBulk = true
    private var streak: UInt8 = 0

    /// After so many reads in a row that filled the buffer, the next ones are spliced.
    private static let fullReads: UInt8 = 4
    /// After so many small pieces in a row, the next ones are copied.
    private static let smallPieces: UInt8 = 3
    private static let smallPiece = 32 << 10

    /// Notes a read of `count` bytes of at most `limit`.
    mutating func noteRead(_ count: Int, limit: Int) {
        guard count == limit, limit >= Self.smallPiece, mayBeBulk else {
            streak = 0
            return
        }
        streak += 1
        if streak >= Self.fullReads { self = Pace(isBulk: true) }
    }

    /// Notes a spliced piece.
    mutating func notePiece(_ count: Int) {
        streak = count < Self.smallPiece ? streak + 1 : 0
        if streak >= Self.smallPieces { self = Pace() }
    }

    /// These sockets cannot be spliced.
    mutating func forbidBulk() {
        self = Pace()
        mayBeBulk = false
    }

    init(isBulk: Bool = false) {
        self.isBulk = isBulk
    }
}
