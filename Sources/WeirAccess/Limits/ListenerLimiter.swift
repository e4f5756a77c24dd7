import LinuxIO
package import WeirStream

/// Holds the clients of a listener to the limits of the process before first bytes have chosen a route.
///
/// The limits of the route follow with the choice; ``RouteLimiter`` takes over what was taken here, and does not judge
/// the process's limits again.
package struct ListenerLimiter: Sendable {
    private let tables: ClientTables
    private let process: RouteLimiter.Level

    /// Nil where the process limits no client.
    package init?(_ tables: ClientTables, process: RouteLimiter.Level) {
        guard process.maxPerClient != nil || process.rate != nil else { return nil }
        self.tables = tables
        self.process = process
    }

    /// Asks for a client's slot and token, on its worker. There are no limits for clients of a Unix socket, as all of
    /// them have the same address.
    package func reserve(_ client: SocketAddress) -> ListenerReservation {
        guard !client.isUnix else { return .taken(nil) }
        var slot: ClientCounts.Slot?
        if let limit = process.maxPerClient {
            slot = tables.counts.enter(client.ip, process.scope, limit: limit)
            if slot == nil { return .refused(.perIPLimit) }
        }
        if let bucket = process.rate,
            !tables.rates.take(client.ip, process.scope, bucket, at: tables.clock.nanoseconds)
        {
            if let slot { tables.counts.leave(slot) }
            return .refused(.rateLimit)
        }
        return .taken(ClientReservation(tables, slots: (nil, slot)))
    }
}
