import LinuxIO
import WeirBalance
import WeirMetrics
import WeirStream

/// The times of one piece of a document: upstreams are timed by the monotonic clock, and shown by that of the day.
struct LiveClock {
    /// Nanoseconds of the monotonic clock.
    let monotonic = MonotonicClock.system.nanoseconds
    /// Nanoseconds since 1970.
    let day = WallClock.nanoseconds

    /// A moment of the monotonic clock in milliseconds since 1970.
    func milliseconds(of moment: UInt64) -> Int64 {
        (day - Int64(clamping: monotonic - min(moment, monotonic))) / 1_000_000
    }
}

extension LiveBoard.Route {
    /// Members that are told of one route; those that are not up come first where there are more.
    private static let maxMembers = 64

    /// Writes how the route stands. Reasons without any event are left out.
    func write(to json: inout JSONOutput, clock: LiveClock, isDetailed: Bool) {
        let common = observer.common
        json.object { json in
            json.add("name", common.route.name)
            json.add("protocol", common.route.transport.rawValue)
            json.add("listen", common.route.listen)
            if isDraining { json.add("draining", true) }
            if let limit = common.route.limit { json.add("limit", Int64(limit)) }
            // Ends are read before beginnings, so that nothing seems to have ended that has not begun.
            let ended = observer.writeEnds(to: &json) &+ json.add("rejected", common.rejected)
            let begun = common.opened.value
            json.add("accepted", begun)
            json.add("active", Int64(bitPattern: begun &- ended))
            json.add("bytes", common.bytes)
            json.add("timeouts", common.timeouts)
            observer.writeRest(to: &json)
            json.array("upstreams") { json in
                for (upstream, metrics) in zip(common.route.upstreams, common.upstreams) {
                    json.object { json in
                        json.add("name", upstream.label)
                        metrics.write(to: &json, isDetailed: isDetailed)
                    }
                }
            }
            if isDetailed { writeMembers(to: &json, clock: clock) }
        }
    }

    private func writeMembers(to json: inout JSONOutput, clock: LiveClock) {
        guard let set else { return }
        var members = set.status(now: clock.monotonic)
        let total = members.count
        if total > Self.maxMembers {
            members = members.filter { $0.state != .up } + members.filter { $0.state == .up }
            members.removeLast(total - Self.maxMembers)
            json.add("members_total", Int64(total))
        }
        json.array("members") { json in
            for status in members {
                json.object { json in
                    json.add("name", status.member.name)
                    json.add("upstream", Int64(upstreams[status.member.name] ?? 0))
                    json.add("state", status.state.rawValue)
                    json.add("since", clock.milliseconds(of: status.changedAt))
                    if let cause = status.cause { json.add("cause", cause.rawValue) }
                    json.add("active", Int64(status.activeCount))
                    if status.isSuspect { json.add("suspect", true) }
                    if status.member.isBackup { json.add("backup", true) }
                }
            }
        }
    }
}

extension UpstreamMetrics {
    fileprivate func write(to json: inout JSONOutput, isDetailed: Bool) {
        json.add("failures", failures)
        json.add("dials", dials.value)
        json.add("active", active.value)
        if let errors { json.add("errors", errors) }
        if let bytes { json.add("bytes", bytes) }
        guard isDetailed, let duration else { return }
        json.add("dial_seconds", secondsOf: duration.sum)
        let buckets = duration.bucketCounts
        // A row of zeros says nothing.
        guard buckets.contains(where: { $0 > 0 }) else { return }
        json.array("dial_buckets") { json in
            for count in buckets { json.add(nil, count) }
        }
    }
}

extension JSONOutput {
    /// Writes the counts of a family by their words, and returns their sum.
    @discardableResult
    mutating func add(_ key: String, _ counters: LabelCounters<some LabelValue>) -> UInt64 {
        var sum: UInt64 = 0
        object(key) { json in
            for (value, count) in counters.counts {
                json.add(value.label, count)
                sum &+= count
            }
        }
        return sum
    }

    /// Writes ingress and egress.
    mutating func add(_ key: String, _ counters: DirectionCounters) {
        array(key) { json in
            json.add(nil, counters[.ingress].value)
            json.add(nil, counters[.egress].value)
        }
    }
}

// MARK: What the transports have of their own

extension TCPRouteMetrics {
    func writeEnds(to json: inout JSONOutput) -> UInt64 { json.add("closed", closed) }

    func writeRest(to json: inout JSONOutput) {
        json.add("discarded", discarded)
        json.add("accept_errors", acceptErrors)
        json.add("accept_pauses", acceptPauses.value)
    }
}

extension UDPRouteMetrics {
    func writeEnds(to json: inout JSONOutput) -> UInt64 { json.add("closed", closed) }

    func writeRest(to json: inout JSONOutput) {
        json.add("datagrams", datagrams)
        json.add("unanswered", unanswered.value)
        json.add("ingress_drops", ingressDrops)
        json.add("egress_drops", egressDrops)
    }
}
