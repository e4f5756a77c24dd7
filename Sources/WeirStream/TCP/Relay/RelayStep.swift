import LinuxIO

/// The outcome of moving the bytes of one direction, see ``RelayDirection/advance(from:to:isLast:turn:resources:owner:)``.
enum RelayStep {
    /// Nothing more moves before an event, or before a pause ends.
    case waiting
    /// The budget of this turn is spent.
    case yielded
    case sourceBroke(SystemError)
    case sinkBroke(SystemError)
    /// A hook ends the connection; this many bytes were read and not passed on.
    case stopped(discarded: Int)
}

/// The outcome of one read or piece of a direction.
enum RelayMove {
    /// Bytes of the turn's budget.
    case moved(Int)
    case ended(RelayStep)
}
