/// Reads what limits clients: the same keys in `limits`, for all routes together, and on each route.
struct LimitReader {
    let findings: Findings

    /// The limits; nil if one of them is wrong. `off` takes back what `defaults` say.
    func read(_ fields: SectionEntries) -> TrafficLimits? {
        var limits = TrafficLimits()
        var isGood = true
        if let value = fields["max_connections_per_ip"] {
            if let count = readCountPerIP(value) { limits.maxConnectionsPerIP = count } else { isGood = false }
        }
        if let value = fields["rate_limit"] {
            if let rate = readRateLimit(value) { limits.rateLimit = rate } else { isGood = false }
        }
        if let value = fields["bandwidth"] {
            if let bandwidth = readBandwidth(value) { limits.bandwidth = bandwidth } else { isGood = false }
        }
        return isGood ? limits : nil
    }

    /// The outer nil is an error, the inner one is off.
    private func readCountPerIP(_ value: YAMLValue) -> Int?? {
        if value.isOff { return .some(nil) }
        let expected = "a number from 1 to 65535, or `off`"
        return findings.parsed(value, "max_connections_per_ip", expected: expected) { text throws(ValueError) in
            try parseCount(text, in: 1...65_535, expected: expected)
        }
    }

    // MARK: Rate

    /// A rate, `off`, or a mapping; the outer nil is an error.
    private func readRateLimit(_ value: YAMLValue) -> RateLimit?? {
        if value.isOff { return .some(nil) }
        guard case .mapping(let entries) = value.content else {
            return readRate(value, "rate_limit").map { .some(RateLimit(count: $0.count, period: $0.period)) }
        }
        guard let fields = findings.section(value, .rateLimit, named: "`rate_limit`") else { return nil }
        var burst: Int?
        if let value = fields["burst"] {
            guard let count = findings.count(value, "burst", in: 1...1_000_000) else { return nil }
            burst = count
        }
        guard let written = fields["rate"] else {
            // Without a rate an unknown key was perhaps meant to be one, and is reported already.
            if entries.allSatisfy({ $0.key == "burst" }) {
                findings.error(value.place, "`rate_limit`: expected a `rate` such as `10/s`, found none")
            }
            return nil
        }
        return readRate(written, "rate").map {
            .some(RateLimit(count: $0.count, period: $0.period, burst: burst))
        }
    }

    private func readRate(_ value: YAMLValue, _ key: String) -> (count: Int, period: Duration)? {
        findings.parsed(value, key, expected: "a rate such as `10/s`, `600/m` or `5/h`") { text throws(ValueError) in
            try parseRate(text)
        }
    }

    // MARK: Bandwidth

    private func readBandwidth(_ value: YAMLValue) -> Bandwidth? {
        if value.isOff { return Bandwidth() }
        guard case .mapping = value.content else {
            if case .refused = value.content { return nil }
            findings.error(
                value.place,
                "`bandwidth`: expected `off` or a mapping such as `{ingress: 10MB/s, egress: 10MB/s}`, found "
                    + value.found)
            return nil
        }
        guard let fields = findings.section(value, .bandwidth, named: "`bandwidth`"),
            let total = readRates(fields)
        else { return nil }
        var perConnection = ByteRates()
        if let value = fields["per_connection"] {
            guard let fields = findings.section(value, .perConnection, named: "`per_connection`"),
                let rates = readRates(fields)
            else { return nil }
            perConnection = rates
        }
        return Bandwidth(total: total, perConnection: perConnection)
    }

    private func readRates(_ fields: SectionEntries) -> ByteRates? {
        var rates = ByteRates()
        var isGood = true
        for (key, path) in [("ingress", \ByteRates.ingress), ("egress", \ByteRates.egress)] {
            guard let value = fields[key] else { continue }
            let rate = findings.parsed(value, key, expected: "bytes a second such as `10MB/s`") {
                text throws(ValueError) in try parseByteRate(text)
            }
            if let rate { rates[keyPath: path] = rate } else { isGood = false }
        }
        return isGood ? rates : nil
    }
}

extension YAMLValue {
    /// Whether it is the word that turns something off.
    var isOff: Bool {
        if case .scalar(let text, _) = content { WeirConfiguration.isOff(text) } else { false }
    }
}
