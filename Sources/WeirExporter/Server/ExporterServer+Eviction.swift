import LinuxIO

/// Eviction: slow clients must not starve a scrape.
///
/// A source at its bound replaces one of its own connections that are not being answered, in the order of
/// ``ScrapeConnection/EvictionPriority``: on loopback, and behind address translation, Prometheus shares its source
/// with slow clients. For the same reason connections that are being answered may exceed that bound while no other
/// client needs the room.
///
/// At ``ExporterLimits/connections`` the source that has the most of them loses one: first one that is not being
/// answered, or pipelines, then also a busy one, that with the most requests first. A few connections are kept for
/// clients on this machine.
extension ExporterServer {
    private static let stepsToWaitFor = 8

    /// Evicts connections until one more of `source` fits.
    /// - Returns: false where all others are being answered, and none of them may be evicted.
    func evictIfFull(for source: ClientSource, isOnThisMachine: Bool) -> Bool {
        while count(of: source) >= limits.connectionsPerSource, evictFirst(among: [source]) {}
        let kept = isOnThisMachine ? 0 : min(limits.keptForThisMachine, limits.connections - 1)
        while connections.count >= limits.connections - kept {
            let (largest, count) = largestSources()
            let own = self.count(of: source)
            if evictFirst(among: largest) { continue }
            // Many clients can arrive in one turn, and those that wait for the page of this turn are soon done.
            if stepEarly() { continue }
            if count > own + 1 {
                if resetBusiest(of: largest) { continue }
            } else if own > 1 {
                if resetBusiest(of: [source]) { continue }
            }
            guard evictFirst(among: nil) else { return false }
        }
        return true
    }

    /// Evicts the connection of lowest priority among the sources with the most connections, or else among all.
    func evictOne() -> Bool {
        evictFirst(among: largestSources().sources) || evictFirst(among: nil)
    }

    /// Whether the exporter is full, and most of its connections end with the next rendering: a newcomer had better
    /// wait for that in the kernel's queue than have one of them evicted. It does not wait for a page of many steps.
    var isSoonFree: Bool {
        guard connections.count >= limits.connections, hasSteppedEarly else { return false }
        let waiting = awaitingPage + (rendering?.clients ?? [])
        guard let wanted = rendering?.wanted ?? awaitingPage.first?.wantedPage else { return false }
        return (rendering?.steps ?? 0) < Self.stepsToWaitFor
            && waiting.count > connections.count / 2 && awaitingPage.allSatisfy { $0.wantedPage == wanted }
    }

    /// The sources with the most connections, and how many each of them has.
    private func largestSources() -> (sources: Set<ClientSource>, count: Int) {
        var counts: [ClientSource: Int] = [:]
        for connection in connections { counts[connection.source, default: 0] += 1 }
        let largest = counts.values.max() ?? 0
        return (Set(counts.filter { $0.value == largest }.keys), largest)
    }

    /// Resets a connection of these sources though it is being answered: the one with the most requests, of equals the
    /// one that waits longest.
    private func resetBusiest(of sources: Set<ClientSource>) -> Bool {
        var busiest: ScrapeConnection?
        for connection in connections where sources.contains(connection.source) {
            guard let best = busiest else {
                busiest = connection
                continue
            }
            let (load, highest) = (connection.requestsInWindow, best.requestsInWindow)
            if load > highest || load == highest && connection.waitingSince < best.waitingSince { busiest = connection }
        }
        busiest?.reset()
        return busiest != nil
    }

    private func evictFirst(among sources: Set<ClientSource>?) -> Bool {
        // Each round either ends, or leaves one connection fewer whose pending input was not read.
        for _ in 0...connections.count {
            guard let candidate = firstToEvict(among: sources), let before = candidate.evictionPriority else {
                return false
            }
            candidate.readPendingInput()
            if candidate.phase == .closed { return true }
            guard let after = candidate.evictionPriority, after.rank == before.rank else { continue }
            if after.rank == .slowReader || after.rank == .pipeliner { candidate.reset() } else { candidate.close() }
            return true
        }
        return false
    }

    private func firstToEvict(among sources: Set<ClientSource>?) -> ScrapeConnection? {
        var first: ScrapeConnection?
        var lowest: ScrapeConnection.EvictionPriority?
        for connection in connections where sources?.contains(connection.source) ?? true {
            guard let priority = connection.evictionPriority else { continue }
            if let lowest, lowest <= priority { continue }
            first = connection
            lowest = priority
        }
        return first
    }

    private func count(of source: ClientSource) -> Int { connections.count { $0.source == source } }
}
