import LinuxIO

/// How slow clients are kept from starving a scrape.
///
/// Who has sent a complete request, and reads the answer, never gives way. Everyone else does, in the order of
/// ``ClientConnection/Standing``. A source at its bound replaces one of its own connections instead of being shut
/// out: on loopback, and behind address translation, Prometheus shares its source with the slow clients.
extension ExporterServer {
    /// Makes room for one more connection of `source`.
    func makeRoom(for source: ClientSource) -> Bool {
        while connections.count(where: { $0.source == source }) >= limits.connectionsPerSource {
            guard giveWay(among: source) else { return false }
        }
        while connections.count >= limits.connections {
            guard giveWay(among: nil) else { return false }
        }
        return true
    }

    /// Closes the connection that gives way first; nil means among all sources.
    func giveWay(among source: ClientSource?) -> Bool {
        // Each round either ends, or leaves one connection fewer that has not had its last chance.
        for _ in 0...connections.count {
            guard let candidate = firstToGiveWay(among: source), let before = candidate.standing else { return false }
            candidate.takeLastChance()
            if candidate.phase == .closed { return true }
            guard let after = candidate.standing, after.rank == before.rank else { continue }
            if after.rank == .slowReader { candidate.reset() } else { candidate.close() }
            return true
        }
        return false
    }

    private func firstToGiveWay(among source: ClientSource?) -> ClientConnection? {
        var first: ClientConnection?
        var lowest: ClientConnection.Standing?
        for connection in connections where source == nil || connection.source == source {
            guard let standing = connection.standing else { continue }
            if let lowest, lowest <= standing { continue }
            first = connection
            lowest = standing
        }
        return first
    }
}
