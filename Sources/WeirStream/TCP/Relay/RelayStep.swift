import LinuxIO

/// The outcome of ``RelayDirection/advance(from:to:isLast:turn:resources:owner:)``, which moves the bytes of one
/// direction.
enum RelayStep {
    /// Nothing more moves before an event, or before a pause ends.
    case waiting
    /// The budget of this turn is spent.
    case yielded
    case sourceBroke(SystemError)
    case sinkBroke(SystemError)
    /// A hook ends the connection; this many bytes were read and not forwarded.
    case stopped(discarded: Int)
}

/// The outcome of one read or piece of a direction.
enum RelayMove {
    /// The bytes that count towards the turn's budget.
    case moved(Int)
    case ended(RelayStep)
}
