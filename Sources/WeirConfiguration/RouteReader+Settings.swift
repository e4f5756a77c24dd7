extension RouteReader {
    /// The TCP settings; nil if one of them is wrong. Fields that do not belong to TCP are not looked at.
    func readTCP(_ fields: SectionEntries) -> TCPSettings? {
        var settings = TCPSettings(proxyProtocol: proxyProtocol)
        var isGood = true
        set(&settings.dialTimeout, fields, "dial_timeout", &isGood) { findings.duration($0, $1) }
        set(&settings.idleTimeout, fields, "idle_timeout", &isGood) { findings.durationOrOff($0, $1) }
        set(&settings.halfCloseTimeout, fields, "half_close_timeout", &isGood) { findings.duration($0, $1) }
        set(&settings.keepalive, fields, "keepalive", &isGood) { value, _ in readKeepalive(value) }
        set(&settings.userTimeout, fields, "tcp_user_timeout", &isGood) { findings.durationOrOff($0, $1) }
        set(&settings.preDialTimeout, fields, "pre_dial_timeout", &isGood) { findings.duration($0, $1) }
        set(&settings.maxConnections, fields, "max_connections", &isGood) {
            findings.count($0, $1, in: RouteReader.counts)
        }
        set(&settings.deferAccept, fields, "defer_accept", &isGood) { readOff($0, or: $1, readDeferral) }
        set(&settings.fastOpen, fields, "fast_open", &isGood) { value, key in
            readOff(value, or: key) { findings.count($0, $1, in: 1...65_535) }
        }
        set(&settings.proxyProtocol, fields, "proxy_protocol", &isGood) { value, key in
            findings.proxyProtocol(value, named: "`\(key)`")
        }
        set(&settings.relayedHeader, fields, "relay_proxy_protocol_header", &isGood) { findings.relayedHeader($0, $1) }
        return isGood ? settings : nil
    }

    /// The UDP settings; nil if one of them is wrong. Fields that do not belong to UDP are not looked at.
    func readUDP(_ fields: SectionEntries) -> UDPSettings? {
        var settings = UDPSettings(proxyProtocol: proxyProtocol)
        var isGood = true
        set(&settings.unassuredTimeout, fields, "unassured_timeout", &isGood) { findings.duration($0, $1) }
        set(&settings.idleTimeout, fields, "idle_timeout", &isGood) { readSessionTimeout($0, $1) }
        set(&settings.maxSessions, fields, "max_sessions", &isGood) { findings.count($0, $1, in: RouteReader.counts) }
        set(&settings.preDialTimeout, fields, "pre_dial_timeout", &isGood) { findings.duration($0, $1) }
        set(&settings.responses, fields, "responses", &isGood) { findings.count($0, $1, in: RouteReader.counts) }
        set(&settings.proxyProtocol, fields, "proxy_protocol", &isGood) { value, key in
            findings.proxyProtocol(value, named: "`\(key)`")
        }
        set(&settings.relayedHeader, fields, "relay_proxy_protocol_header", &isGood) {
            findings.relayedDatagramHeader($0, $1)
        }
        return isGood ? settings : nil
    }

    private func set<Value>(
        _ setting: inout Value, _ fields: SectionEntries, _ key: String, _ isGood: inout Bool,
        _ read: (YAMLValue, String) -> Value?
    ) {
        guard let value = fields[key] else { return }
        if let read = read(value, key) { setting = read } else { isGood = false }
    }

    /// A session has no end of its own, so its timer cannot be off.
    private func readSessionTimeout(_ value: YAMLValue, _ key: String) -> Duration? {
        if case .scalar(let text, _) = value.content, isOff(text) {
            findings.error(
                value.place, "`\(key)`: expected a duration such as `5m`, found `\(text)`, which only TCP has")
            return nil
        }
        return findings.duration(value, key)
    }

    /// `off`, or a mapping; the outer nil is an error. The kernel counts both times in whole seconds, up to 32,767, and
    /// the probes up to 127 (tcp(7)).
    private func readKeepalive(_ value: YAMLValue) -> Keepalive?? {
        if case .scalar(let text, _) = value.content, isOff(text) { return .some(nil) }
        guard case .mapping = value.content else {
            if case .refused = value.content { return nil }
            findings.error(
                value.place,
                "`keepalive`: expected `off` or a mapping such as `{idle: 60s, interval: 10s, count: 6}`, found "
                    + value.found)
            return nil
        }
        guard let fields = findings.section(value, .keepalive, named: "`keepalive`") else { return nil }
        var keepalive = Keepalive()
        var isGood = true
        set(&keepalive.idle, fields, "idle", &isGood) { readProbeTime($0, $1) }
        set(&keepalive.interval, fields, "interval", &isGood) { readProbeTime($0, $1) }
        set(&keepalive.count, fields, "count", &isGood) { findings.count($0, $1, in: 1...127) }
        return isGood ? .some(keepalive) : nil
    }

    /// `off`, or what `read` takes; the outer nil is an error.
    private func readOff<Value>(
        _ value: YAMLValue, or key: String, _ read: (YAMLValue, String) -> Value?
    ) -> Value?? {
        if case .scalar(let text, _) = value.content, isOff(text) { return .some(nil) }
        return read(value, key).map { .some($0) }
    }

    /// The kernel counts in retransmissions of its answer to a SYN: more than a few minutes there are none.
    private func readDeferral(_ value: YAMLValue, _ key: String) -> Duration? {
        readSeconds(value, key, in: 1...127, example: "3s")
    }

    private func readProbeTime(_ value: YAMLValue, _ key: String) -> Duration? {
        readSeconds(value, key, in: 1...32_767, example: "60s")
    }

    private func readSeconds(
        _ value: YAMLValue, _ key: String, in bounds: ClosedRange<Int>, example: String
    ) -> Duration? {
        findings.parsed(value, key, expected: "a duration such as `\(example)`") { text throws(ValueError) in
            let duration = try parseDuration(text)
            let (seconds, rest) = duration.components
            guard bounds.contains(Int(clamping: seconds)), rest == 0 else {
                throw ValueError(
                    "expected whole seconds from \(bounds.lowerBound)s to \(bounds.upperBound)s, found \(quoted(text))")
            }
            return duration
        }
    }
}
