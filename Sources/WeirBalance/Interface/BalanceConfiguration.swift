public import NetworkTypes
import Threading

/// A member of a route's set, as configured.
public struct BalancedMember: Hashable, Sendable {
    /// The label: the member's name where it has one, else its address. It is the member's identity: a member that
    /// keeps it over a change of the configuration keeps its state and its counts.
    public var name: String
    /// The configured text, for a member of a name with the resolved address. Instances whose members have the same
    /// texts choose alike with ``BalanceMethod/maglev``. A member that was renamed is known by it.
    public var address: String
    /// The share of clients, relative to the others: 1…256.
    public var weight: Int
    /// Whether it only takes clients that no other member can take.
    public var isBackup: Bool
    /// The limit of its connections or sessions over all workers, at least 1; nil is no limit.
    public var maxConnections: Int?
    /// Whether it takes no new clients.
    public var isDraining: Bool

    /// The weights that a member may have.
    public static let weights = 1...256

    /// Creates a member; the name is the address unless given.
    public init(
        _ address: String, name: String? = nil, weight: Int = 1, isBackup: Bool = false, maxConnections: Int? = nil,
        isDraining: Bool = false
    ) {
        self.name = name ?? address
        self.address = address
        self.weight = weight
        self.isBackup = isBackup
        self.maxConnections = maxConnections
        self.isDraining = isDraining
    }
}

extension Ejection {
    /// The nanoseconds of an ejection; `level` is 1 for the first one.
    func nanoseconds(level: Int) -> UInt64 {
        let limit = max(duration, maxDuration).clampedNanoseconds
        let first = duration.clampedNanoseconds
        let shift = min(max(level, 1) - 1, 62)
        return first > limit >> UInt64(shift) ? limit : first << UInt64(shift)
    }
}

/// The set of upstreams of a route, and how clients are divided among its members.
public struct BalanceConfiguration: Hashable, Sendable {
    /// The members in the order of the route's upstreams: the member at an index is the upstream at that index.
    public var members: [BalancedMember]
    /// The algorithm that chooses.
    public var method: BalanceMethod
    /// The ejection of members that fail; nil turns it off.
    public var ejection: Ejection?
    /// The time in which the weight of a member that is up again after a failure grows to its full value; nil is at
    /// once. It has no effect with ``BalanceMethod/first``.
    public var slowStart: Duration?
    /// The treatment of clients while no member is up.
    public var whenNone: WhenNone

    /// The most members that a set may have.
    public static let maxMembers = 1_024

    /// Creates a configuration; the defaults are those of a route.
    public init(
        _ members: [BalancedMember], method: BalanceMethod = .roundRobin, ejection: Ejection? = Ejection(),
        slowStart: Duration? = nil, whenNone: WhenNone = .dial
    ) {
        self.members = members
        self.method = method
        self.ejection = ejection
        self.slowStart = slowStart
        self.whenNone = whenNone
    }

    func validate() throws(BalanceError) {
        if members.isEmpty { throw .empty }
        if members.count > Self.maxMembers { throw .tooMany(members.count) }
        if let ejection, ejection.failures < 1 || ejection.duration <= .zero { throw .invalidEjection }
        var names: Set<String> = []
        for member in members {
            if !names.insert(member.name).inserted { throw .duplicate(member.name) }
            if !BalancedMember.weights.contains(member.weight) { throw .invalidWeight(member.name) }
            if let limit = member.maxConnections, limit < 1 || limit >= Int(Int32.max) {
                throw .invalidLimit(member.name)
            }
        }
        if members.allSatisfy(\.isBackup) { throw .onlyBackups }
    }
}

/// An invalid configuration of a set.
public enum BalanceError: Error, Hashable, Sendable {
    /// The set has no member.
    case empty
    /// The set has more than ``BalanceConfiguration/maxMembers``.
    case tooMany(Int)
    /// Every member is a backup.
    case onlyBackups
    /// Two members have this name.
    case duplicate(String)
    /// The weight of this member is not in ``BalancedMember/weights``.
    case invalidWeight(String)
    /// The limit of this member is not from 1 to 2,147,483,646.
    case invalidLimit(String)
    /// The failures of an ejection are less than 1, or its time is not longer than 0.
    case invalidEjection
}

extension BalanceError: CustomStringConvertible {
    /// A sentence for the log.
    public var description: String {
        switch self {
        case .empty: "a set of upstreams has no member"
        case .tooMany(let count):
            "a set of upstreams has \(count) members; at most \(BalanceConfiguration.maxMembers) are allowed"
        case .onlyBackups: "every upstream is a backup"
        case .duplicate(let name): "two upstreams have the name '\(name)'"
        case .invalidWeight(let name): "the weight of '\(name)' is not from 1 to 256; to take no clients, let it drain"
        case .invalidLimit(let name): "the limit of connections of '\(name)' is not from 1 to 2147483646"
        case .invalidEjection: "an ejection needs at least 1 failure and a time longer than 0"
        }
    }
}
