/// The properties of a stream that decide which reasons can occur on it.
public struct StreamTraits: OptionSet, Sendable, Hashable {
    /// One bit for each trait.
    public let rawValue: UInt32

    /// The traits of those bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Carries connections.
    public static let tcp = StreamTraits(rawValue: 1 << 0)
    /// Carries sessions.
    public static let udp = StreamTraits(rawValue: 1 << 1)
    /// The way from the client to the upstream, where a reason belongs to one direction.
    public static let ingress = StreamTraits(rawValue: 1 << 2)
    /// The way from the upstream to the client, where a reason belongs to one direction.
    public static let egress = StreamTraits(rawValue: 1 << 3)
    /// ``StreamHooks/admit`` rejects by rules of access.
    public static let accessRules = StreamTraits(rawValue: 1 << 8)
    /// A client may have only so many connections or sessions at once.
    public static let clientLimit = StreamTraits(rawValue: 1 << 9)
    /// A client may open only so many connections or sessions a second.
    public static let rateLimit = StreamTraits(rawValue: 1 << 10)
    /// A bound on bytes a second.
    public static let bandwidth = StreamTraits(rawValue: 1 << 11)
    /// ``StreamHooks/preDial`` is there.
    public static let preDial = StreamTraits(rawValue: 1 << 12)
    /// ``StreamHooks/onRead`` may answer ``ReadDecision/close``.
    public static let closingHook = StreamTraits(rawValue: 1 << 13)
    /// Peers may, or must, begin with a PROXY header.
    public static let proxyHeaders = StreamTraits(rawValue: 1 << 14)
    /// Silence ends a connection or session.
    public static let idleTimeout = StreamTraits(rawValue: 1 << 15)
    /// The upstream is a name, which has to be resolved.
    public static let upstreamName = StreamTraits(rawValue: 1 << 16)
    /// No stream has it: a reason that needs it is too rare to be exported before it has occurred.
    public static let rare = StreamTraits(rawValue: 1 << 31)
    /// ``StreamHooks/clientSession`` encrypts the client's side.
    public static let encryptedClient = StreamTraits(rawValue: 1 << 17)
    /// ``StreamHooks/upstreamSession`` encrypts the upstream's side.
    public static let encryptedUpstream = StreamTraits(rawValue: 1 << 18)

    /// Those that a stream has as long as it lives; all others come and go with its hooks and settings.
    static let lasting: StreamTraits = [.tcp, .udp, .ingress, .egress]
}

/// The streams on which a reason can occur, declared beside the reason's case: an observer that counts learns from it
/// which counters it needs, before anything has happened.
public struct Occurrence: Sendable, Hashable {
    /// Sets of traits; a stream that has all of any one of them is meant.
    private let alternatives: [StreamTraits]

    /// Every stream.
    public static let always = Occurrence(alternatives: [[]])
    /// No stream: the reason is there for what should be impossible.
    public static let never = Occurrence(alternatives: [])

    /// Streams that have all these traits.
    public static func on(_ traits: StreamTraits) -> Occurrence { Occurrence(alternatives: [traits]) }

    /// Streams that have all traits of the one set or of the other.
    public static func on(_ traits: StreamTraits, or others: StreamTraits) -> Occurrence {
        Occurrence(alternatives: [traits, others])
    }

    /// Whether it can occur on a stream with these traits.
    public func isPossible(on traits: StreamTraits) -> Bool {
        alternatives.contains { $0.isSubset(of: traits) }
    }

    /// Whether other hooks or settings could make it possible on a stream of this transport, and in this direction where
    /// `traits` name one.
    public func isConceivable(on traits: StreamTraits) -> Bool {
        alternatives.contains { $0.intersection(.lasting).isSubset(of: traits) }
    }
}
