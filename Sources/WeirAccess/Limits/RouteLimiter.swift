import LinuxIO
package import NetworkTypes
package import WeirStream

/// Holds the clients of one route to its limits, and to those of the process.
///
/// A client is asked in this order: how many it has on the route, how many it has in the process, how fast it opens
/// them on the route, how fast in the process. What one of them refuses takes nothing of those behind it, and no slot.
/// The route's `max_connections` or `max_sessions` comes last, from the engine.
package final class RouteLimiter: Sendable {
    /// The limits of the route, or of the process.
    package struct Level: Sendable {
        let scope: LimitScope
        let maxPerClient: Int?
        let rate: TokenBucket?
        package let bandwidth: DirectionPair<BandwidthMeter>
        let perConnection: DirectionPair<ByteBucket>

        /// No limits, or these. Of clients with the same scope all limiters count the same.
        package init(
            scope: LimitScope, maxPerClient: Int? = nil, rate: TokenBucket? = nil,
            bandwidth: DirectionPair<BandwidthMeter> = DirectionPair(),
            perConnection: DirectionPair<ByteBucket> = DirectionPair()
        ) {
            self.scope = scope
            self.maxPerClient = maxPerClient
            self.rate = rate
            self.bandwidth = bandwidth
            self.perConnection = perConnection
        }
    }

    let tables: ClientTables
    package let route: Level
    package let process: Level
    private let isCounting: Bool
    private let isRating: Bool
    private let isMetering: Bool
    private let needsReservation: Bool
    /// The slower of the rates of the route and of the process.
    let perConnection: DirectionPair<ByteBucket>
    /// The route's shares in what the process limits.
    let shares: DirectionPair<FairShare>

    /// Nil where neither limits anything.
    package init?(_ tables: ClientTables, route: Level, process: Level) {
        self.tables = tables
        self.route = route
        self.process = process
        isCounting = route.maxPerClient != nil || process.maxPerClient != nil
        isRating = route.rate != nil || process.rate != nil
        perConnection = DirectionPair(
            ingress: Self.slower(route.perConnection.ingress, process.perConnection.ingress),
            egress: Self.slower(route.perConnection.egress, process.perConnection.egress))
        let hasOwnBuckets = !perConnection.isEmpty
        shares = DirectionPair(
            ingress: process.bandwidth.ingress.map { FairShare(of: $0.bucket) },
            egress: process.bandwidth.egress.map { FairShare(of: $0.bucket) })
        isMetering = hasOwnBuckets || !route.bandwidth.isEmpty || !process.bandwidth.isEmpty
        // A TCP connection keeps there what it has reserved.
        needsReservation = isCounting || isMetering
        if !isCounting, !isRating, !isMetering { return nil }
    }

    private static func slower(_ one: ByteBucket?, _ other: ByteBucket?) -> ByteBucket? {
        guard let one, let other else { return one ?? other }
        return one.bytesPerSecond < other.bytesPerSecond ? one : other
    }

    /// Adds what this decides behind what the hooks decide already. Without a transport the hooks serve either.
    package func install(in hooks: inout StreamHooks, _ transport: Transport? = nil) {
        if isCounting || isRating || !perConnection.isEmpty || (isMetering && transport != .udp) {
            let before = hooks.admit
            hooks.admit = { [self] context in
                if let before, case .reject(let reason) = before(context) { return .reject(reason) }
                return admit(context)
            }
        }
        if isMetering {
            if transport != .udp { installGrants(in: &hooks) }
            if transport != .tcp { installPolice(in: &hooks) }
        }
    }

    // MARK: Clients

    /// Asks for a client's slot and token, on its worker. The limits of one address are none for clients of a Unix
    /// socket: all of them have the same.
    package func admit(_ context: StreamContext) -> AdmitDecision {
        let client = context.clientAddress.ip
        let hasAddress = !context.clientAddress.isUnix
        var slots: (ClientCounts.Slot?, ClientCounts.Slot?)
        // A listener that chose this route has judged the limits of the process already.
        let early = context.clientReservation
        if isCounting, hasAddress {
            if let limit = route.maxPerClient {
                slots.0 = tables.counts.enter(client, route.scope, limit: limit)
                if slots.0 == nil { return .reject(.perIPLimit) }
            }
            if let early {
                slots.1 = early.takeProcessSlot()
            } else if let limit = process.maxPerClient {
                slots.1 = tables.counts.enter(client, process.scope, limit: limit)
                if slots.1 == nil {
                    giveBack(slots)
                    return .reject(.perIPLimit)
                }
            }
        }
        if isRating, hasAddress, !hasToken(client, ofProcess: early == nil) {
            giveBack(slots)
            return .reject(.rateLimit)
        }
        if needsReservation {
            context.reserve(ClientReservation(tables, slots: slots, limiter: isMetering ? self : nil))
        }
        return .accept
    }

    private func hasToken(_ client: IPAddress, ofProcess isOfProcess: Bool) -> Bool {
        let now = tables.clock.nanoseconds
        if let bucket = route.rate, !tables.rates.take(client, route.scope, bucket, at: now) { return false }
        if isOfProcess, let bucket = process.rate, !tables.rates.take(client, process.scope, bucket, at: now) {
            return false
        }
        return true
    }

    private func giveBack(_ slots: (ClientCounts.Slot?, ClientCounts.Slot?)) {
        if let slot = slots.0 { tables.counts.leave(slot) }
        if let slot = slots.1 { tables.counts.leave(slot) }
    }
}

/// Something that each direction may have.
package struct DirectionPair<Value: Sendable>: Sendable {
    package var ingress: Value?
    package var egress: Value?

    /// Nothing for either, or these.
    package init(ingress: Value? = nil, egress: Value? = nil) {
        self.ingress = ingress
        self.egress = egress
    }

    package var isEmpty: Bool { ingress == nil && egress == nil }

    package subscript(_ direction: Direction) -> Value? { direction == .ingress ? ingress : egress }
}
