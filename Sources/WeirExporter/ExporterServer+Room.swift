import LinuxIO

/// How slow clients are kept from starving a scrape.
///
/// Who has sent a complete request, and reads the answer, does not give way. Everyone else does, in the order of
/// ``ClientConnection/Standing``. A source at its bound replaces one of its own connections instead of being shut
/// out: on loopback, and behind address translation, Prometheus shares its source with the slow clients. For the same
/// reason connections that are being answered may exceed that bound while nobody else needs their place.
extension ExporterServer {
    /// Makes room for one more connection of `source`.
    func makeRoom(for source: ClientSource) -> Bool {
        while count(of: source) >= limits.connectionsPerSource, giveWay(among: source) {}
        while connections.count >= limits.connections {
            if giveWay(among: nil) { continue }
            guard count(of: source) < limits.connectionsPerSource, resetExcess() else { return false }
        }
        return true
    }

    /// Closes the connection that gives way first; nil means among all sources.
    func giveWay(among source: ClientSource?) -> Bool {
        if closeFirst(among: source) { return true }
        // Many clients can arrive in one turn, and those that wait for the page of this turn are soon done.
        guard !awaitingPage.isEmpty else { return false }
        renderPages()
        return closeFirst(among: source)
    }

    private func closeFirst(among source: ClientSource?) -> Bool {
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

    /// Takes the longest answer from a source that holds more than its share.
    private func resetExcess() -> Bool {
        let excess = connections.filter {
            $0.phase == .writing && count(of: $0.source) > limits.connectionsPerSource
        }
        guard let oldest = excess.min(by: { $0.waitingSince < $1.waitingSince }) else { return false }
        oldest.reset()
        return true
    }

    private func count(of source: ClientSource) -> Int { connections.count { $0.source == source } }
}
