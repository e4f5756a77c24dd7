/// The properties of a stream that decide which reasons can occur on it.
public struct StreamTraits: OptionSet, Sendable, Hashable {
    /// One bit for each trait.
    public let rawValue: UInt32

    /// Creates a set from its bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The stream carries TCP connections.
    public static let tcp = StreamTraits(rawValue: 1 << 0)
    /// The stream carries UDP sessions.
    public static let udp = StreamTraits(rawValue: 1 << 1)
    /// The direction from the client to the upstream, for a reason that belongs to one direction.
    public static let ingress = StreamTraits(rawValue: 1 << 2)
    /// The direction from the upstream to the client, for a reason that belongs to one direction.
    public static let egress = StreamTraits(rawValue: 1 << 3)
    /// ``StreamHooks/admit`` rejects by access rules.
    public static let accessRules = StreamTraits(rawValue: 1 << 8)
    /// The open connections or sessions of one client are bounded.
    public static let clientLimit = StreamTraits(rawValue: 1 << 9)
    /// The new connections or sessions of one client per second are bounded.
    public static let rateLimit = StreamTraits(rawValue: 1 << 10)
    /// The bytes per second are bounded.
    public static let bandwidth = StreamTraits(rawValue: 1 << 11)
    /// The stream has a ``StreamHooks/preDial`` hook.
    public static let preDial = StreamTraits(rawValue: 1 << 12)
    /// ``StreamHooks/onRead`` may answer ``ReadDecision/close``.
    public static let closingHook = StreamTraits(rawValue: 1 << 13)
    /// Peers may, or must, begin with a PROXY header.
    public static let proxyHeaders = StreamTraits(rawValue: 1 << 14)
    /// An idle timeout ends a connection or session.
    public static let idleTimeout = StreamTraits(rawValue: 1 << 15)
    /// The upstream is a name that must be resolved.
    public static let upstreamName = StreamTraits(rawValue: 1 << 16)
    /// The replies to a datagram are counted (``UDPSettings/responses``).
    public static let countedReplies = StreamTraits(rawValue: 1 << 19)
    /// The bytes to a client that has not spoken again are bounded (``UDPSettings/amplification``).
    public static let amplificationLimit = StreamTraits(rawValue: 1 << 20)
    /// The connections or sessions of an upstream are bounded.
    public static let upstreamLimit = StreamTraits(rawValue: 1 << 21)
    /// A policy chooses among several upstreams, and leaves out those that fail.
    public static let upstreamSet = StreamTraits(rawValue: 1 << 22)
    /// An agent dials the upstream.
    public static let agentUpstream = StreamTraits(rawValue: 1 << 23)
    /// ``StreamHooks/decide`` dials what clients ask for.
    public static let chosenDestinations = StreamTraits(rawValue: 1 << 24)
    /// No stream has it: a reason that needs it is too rare to be exported before it has occurred.
    public static let rare = StreamTraits(rawValue: 1 << 31)
    /// ``StreamHooks/clientSession`` encrypts the client's side.
    public static let encryptedClient = StreamTraits(rawValue: 1 << 17)
    /// ``StreamHooks/upstreamSession`` encrypts the upstream's side.
    public static let encryptedUpstream = StreamTraits(rawValue: 1 << 18)

    /// The traits that never change in a stream's life. All others follow its hooks and settings.
    static let lasting: StreamTraits = [.tcp, .udp, .ingress, .egress]
}

/// The streams on which a reason can occur, declared beside the reason's case. An observer that counts creates its
/// counters from it before the first event.
public struct Occurrence: Sendable, Hashable {
    /// Sets of traits: the reason can occur on a stream that has all traits of at least one set.
    private let alternatives: [StreamTraits]

    /// Every stream.
    public static let always = Occurrence(alternatives: [[]])
    /// No stream: the reason names a state that should be impossible.
    public static let never = Occurrence(alternatives: [])

    /// Returns the occurrence on streams that have all these traits.
    public static func on(_ traits: StreamTraits) -> Occurrence { Occurrence(alternatives: [traits]) }

    /// Returns the occurrence on streams that have all traits of at least one of the sets.
    public static func on(_ traits: StreamTraits, or others: StreamTraits...) -> Occurrence {
        Occurrence(alternatives: [traits] + others)
    }

    /// Whether the reason can occur on a stream with these traits.
    public func isPossible(on traits: StreamTraits) -> Bool {
        alternatives.contains { $0.isSubset(of: traits) }
    }

    /// Whether other hooks or settings could make the reason possible on a stream of this transport, and in the
    /// direction of `traits` where they name one.
    public func isConceivable(on traits: StreamTraits) -> Bool {
        alternatives.contains { $0.intersection(.lasting).isSubset(of: traits) }
    }
}
