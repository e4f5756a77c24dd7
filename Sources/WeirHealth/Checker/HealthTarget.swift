import NetworkTypes

/// An address to check, and how. Equal targets share one check, however many routes have them.
public struct HealthTarget: Hashable, Sendable {
    /// The member's address; ``SocketAddress/unix`` for a Unix socket. Names are resolved by the owner.
    public var address: SocketAddress
    /// The Unix socket to check; nil for an IP address.
    public var path: UnixSocketPath?
    /// The way to check it.
    public var check: HealthCheck
    /// Times and counts.
    public var schedule: CheckSchedule
    /// The address of this machine that checks come from; nil leaves it to the kernel. Its port is 0 as a rule: a fixed
    /// one cannot be used again at once.
    public var source: SocketAddress?
    /// The encryption of the check; nil for none.
    public var encryption: CheckEncryption?
    /// The way through a peer at ``address``; nil where that is the member itself.
    public var carrier: CheckCarrier?

    /// A target.
    public init(
        address: SocketAddress, check: HealthCheck, schedule: CheckSchedule = CheckSchedule(),
        source: SocketAddress? = nil, encryption: CheckEncryption? = nil, carrier: CheckCarrier? = nil
    ) {
        self.encryption = encryption
        self.address = address
        self.check = check
        self.schedule = schedule
        self.source = source
        self.carrier = carrier
    }

    /// A Unix socket as a target.
    public init(
        path: UnixSocketPath, check: HealthCheck, schedule: CheckSchedule = CheckSchedule(),
        encryption: CheckEncryption? = nil
    ) {
        self.init(address: .unix, check: check, schedule: schedule, encryption: encryption)
        self.path = path
    }

    /// Makes what carries the bytes of one check; nil where the socket does.
    func makeSession() -> (any CheckSession)? {
        carrier?.makeSession(schedule.timeout) ?? encryption.map { SecureCheckSession($0.makeSession()) }
    }

    /// The address with the port that is checked. A Unix socket has none, and a peer in between its own.
    var checkedAddress: SocketAddress {
        if path != nil { return .unix }
        if carrier != nil { return address }
        return SocketAddress(address.ip, port: check.port ?? address.port, scope: address.scope)
    }
}

/// One owner's interest in a target: a route has one for each member of its upstreams.
public struct HealthSubscription: Hashable, Sendable {
    /// The target.
    public let target: HealthTarget
    /// The owner's own number for this interest, by which it recognizes results. Each belongs to one subscription at a
    /// time; a later list may give it to another target, which then goes on with the state that the owner was told.
    public let token: UInt64

    /// An interest in a target.
    public init(_ target: HealthTarget, token: UInt64) {
        self.target = target
        self.token = token
    }
}
