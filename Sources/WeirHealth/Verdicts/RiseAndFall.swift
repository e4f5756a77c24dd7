/// The state of a member as its checks see it: up or down, and how far the last results speak against that.
///
/// A member is up before its first result. The first one decides alone, in either direction; later `fall` failures in a
/// row take the member down, and `rise` successes in a row bring it up again. Pure: it knows neither time nor sockets.
public struct RiseAndFall: Hashable, Sendable {
    /// How many failures in a row take the member down.
    public let fall: Int
    /// How many successes in a row bring it up.
    public let rise: Int
    /// Whether the member is up.
    public private(set) var isUp: Bool
    /// Whether a result has decided.
    public private(set) var isDecided: Bool
    /// Results in a row that speak against the state.
    private var opposing = 0

    /// The state before the first result, or one that was decided earlier. Counts below 1 are 1.
    public init(fall: Int, rise: Int, isUp: Bool = true, isDecided: Bool = false) {
        self.fall = max(1, fall)
        self.rise = max(1, rise)
        self.isUp = isUp
        self.isDecided = isDecided
    }

    /// Whether the last result speaks against the state, and is not enough to change it.
    public var isInDoubt: Bool { opposing > 0 }

    /// Takes a result in. Returns whether it changed the state.
    public mutating func note(isSuccess: Bool) -> Bool {
        let isFirst = !isDecided
        isDecided = true
        guard isSuccess != isUp else {
            opposing = 0
            return false
        }
        opposing += 1
        guard isFirst || opposing >= (isUp ? fall : rise) else { return false }
        isUp = isSuccess
        opposing = 0
        return true
    }
}
