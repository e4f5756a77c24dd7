/// `proxy_protocol` and `relay_proxy_protocol_header`.
extension Findings {
    /// The settings; nil after an error.
    func proxyProtocol(_ value: YAMLValue, named name: String) -> ProxyProtocolSettings? {
        guard let fields = section(value, .proxyProtocol, named: name) else { return nil }
        var settings = ProxyProtocolSettings()
        var isGood = true
        if let mode = fields["mode"] {
            if let mode = choice(mode, "mode", of: ProxyProtocolSettings.Mode.self) {
                settings.mode = mode
            } else {
                isGood = false
            }
        } else {
            error(value.place, "\(name): expected a `mode`: `disabled`, `mixed` or `required`, found none")
            isGood = false
        }
        if let list = fields["trusted_proxies"] {
            let meaning = "any client can then say that it is another one"
            if let blocks = blocks(list, "trusted_proxies", ofEverything: meaning) {
                settings.trustedProxies = blocks
            } else {
                isGood = false
            }
        }
        if let value = fields["datagrams"] {
            if let datagrams = choice(value, "datagrams", of: ProxyProtocolSettings.Datagrams.self) {
                settings.datagrams = datagrams
            } else {
                isGood = false
            }
        }
        if isGood, settings.mode != .disabled, settings.trustedProxies.isEmpty {
            error(
                fields["trusted_proxies"]?.place ?? value.place,
                "\(name): mode `\(settings.mode.rawValue)` needs `trusted_proxies` such as `[10.0.0.0/8]`, found none")
            isGood = false
        }
        return isGood ? settings : nil
    }

    /// What upstreams get; the outer nil is an error.
    func relayedHeader(_ value: YAMLValue, _ key: String) -> TCPSettings.RelayedHeader?? {
        word(value, key, ["true": .v2, "v1": .v1, "v2": .v2])
    }

    /// The same for UDP.
    func relayedDatagramHeader(_ value: YAMLValue, _ key: String) -> UDPSettings.RelayedHeader?? {
        word(value, key, ["true": .first, "v2": .first, "each": .each])
    }

    /// In `defaults`, which are for both.
    func checkRelayedHeader(_ value: YAMLValue, _ key: String) {
        _ = word(value, key, ["true": true, "v1": true, "v2": true, "each": true])
    }

    private func word<Choice>(_ value: YAMLValue, _ key: String, _ words: [String: Choice]) -> Choice?? {
        let all = ["true", "false", "v1", "v2", "each"].filter { words[$0] != nil || $0 == "false" }
        let expected = "one of " + all.map { "`\($0)`" }.joined(separator: ", ")
        return parsed(value, key, expected: expected) { text throws(ValueError) in
            if text == "false" { return nil }
            if let choice = words[text] { return choice }
            throw ValueError("expected \(expected), found \(quoted(text))", suggestion: nearMiss(of: text, among: all))
        }
    }
}
