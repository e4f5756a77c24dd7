import NetworkTypes
import WeirHealth

// The settings of health checks.

extension HealthSettings {
    static let section = Section<Self>([
        Setting("check", \.check, .choice, "What is spoken; see the page."),
        Setting("port", \.port, .portNumber, default: "the upstream's", "The port to check."),
        Setting("path", \.path, .words(of: "a path such as `/healthz`"), default: "`/`", "`http`: the path."),
        Setting("method", \.method, .withAlternative(.choice), default: "`GET`", "`http`: `GET` or `HEAD`."),
        Setting(
            "host", \.host, .words(of: "a host name"), default: "the upstream's address", "`http`: the `Host` field."),
        Setting(
            "status", \.statuses, .withAlternative(.statuses), default: "`200-399`",
            "`http`: the statuses that pass, such as `200` or `[200-299, 403]`."),
        Setting(
            "name", \.name, .words(of: "a domain name"), default: "the root", "`dns`: the name that is asked for."),
        Setting("type", \.type, .withAlternative(.choice), default: "`ns`", "`dns`: the type of records."),
        Setting("user", \.user, .words(of: "a user"), default: "`weir`", "`postgres`: the user, who need not exist."),
        Setting(
            "database", \.database, .words(of: "a database"), default: "the user's", "`postgres`: the database."),
        Setting("send", \.send, .withAlternative(.text), default: "nothing", "`send`: the text that is sent."),
        Setting(
            "send_hex", \.sendHex, .withAlternative(.hex), default: "nothing",
            "`send`: the bytes that are sent, in hexadecimal."),
        Setting("expect", \.expect, .withAlternative(.text), default: "anything", "`send`: a text of the answer."),
        Setting(
            "expect_hex", \.expectHex, .withAlternative(.hex), default: "anything",
            "`send`: bytes of the answer, in hexadecimal."),
        Setting(
            "tls", \.usesTLS, .withAlternative(.flag), default: "as `upstream_tls`, without a `port`",
            "Whether the check speaks TLS."),
        Setting(
            "ca", \.authorities, .optional(.authorities), default: "that of `upstream_tls`",
            "The authorities that a check over TLS trusts."),
        Setting(
            "server_name", \.serverName, .optional(.serverName), default: "that of `upstream_tls`",
            "The name that upstreams must have in a check over TLS."),
        Setting(
            "verify", \.verifies, .withAlternative(.verification), default: "as `upstream_tls`",
            "Whether upstreams must prove who they are in a check over TLS."),
        Setting("interval", \.schedule.interval, .duration(), "Time between checks; 1 s while in doubt."),
        Setting("timeout", \.schedule.timeout, .duration(), "How long a check may take."),
        Setting("fall", \.schedule.fall, .count(1...100), "Failures in a row that take an upstream out."),
        Setting("rise", \.schedule.rise, .count(1...100), "Successes in a row that bring it back."),
    ])

    /// `send` as hexadecimal digits: the same bytes, written otherwise. A value that is a text is not written so.
    fileprivate var sendHex: [UInt8]? {
        get { send.flatMap { textOfBytes($0) == nil ? $0 : nil } }
        set { if let newValue { send = newValue } }
    }

    /// `expect`, likewise.
    fileprivate var expectHex: [UInt8]? {
        get { expect.flatMap { textOfBytes($0) == nil ? $0 : nil } }
        set { if let newValue { expect = newValue } }
    }

    /// The keys of each kind, besides those that all have.
    private static func keys(of check: HealthProtocol) -> [String] {
        switch check {
        case .tcp: []
        case .tls: tlsKeys
        case .redis: ["tls"] + tlsKeys
        case .dns: ["name", "type", "tls"] + tlsKeys
        case .postgres: ["user", "database"]
        case .http: ["path", "method", "host", "status", "tls"] + tlsKeys
        case .send: ["send", "send_hex", "expect", "expect_hex", "tls"] + tlsKeys
        }
    }

    private static let tlsKeys = ["ca", "server_name", "verify"]

    private static let commonKeys = ["check", "port", "interval", "timeout", "fall", "rise"]

    /// Whether the kind can check a route of this transport. On UDP a page or a connection says something where it is
    /// at a port of its own.
    private func fits(_ transport: Transport) -> Bool {
        switch check {
        case .dns, .send: true
        case .tcp, .tls, .http: transport == .tcp || port != nil
        case .postgres, .redis: transport == .tcp
        }
    }

    /// Checks the values together. False after an error, which is noted.
    fileprivate func validate(
        _ entries: SectionEntries, _ node: ConfigurationNode, over transport: Transport, _ context: ReadingContext
    ) -> Bool {
        let diagnostics = context.diagnostics
        let allowed = Self.commonKeys + Self.keys(of: check)
        for (key, entry) in entries.entries.sorted(by: { $0.key < $1.key }) where !allowed.contains(key) {
            let owner = HealthProtocol.allCases.first { Self.keys(of: $0).contains(key) }
            diagnostics.error(
                entry.keyOrigin,
                "`health`: `\(key)` is for `check: \(owner?.rawValue ?? "")`, and the check is `\(check.rawValue)`")
            return false
        }
        for (one, other) in [("send", "send_hex"), ("expect", "expect_hex")] {
            guard entries[one] != nil, let second = entries.entries[other] else { continue }
            diagnostics.error(second.keyOrigin, "`health`: `\(other)` stands beside `\(one)`, which says the same")
            return false
        }
        guard fits(transport) else {
            let hint =
                check == .tcp || check == .tls || check == .http
                ? "; a `port` for it, or `check: send`, is expected" : ""
            diagnostics.error(
                entries["check"]?.origin ?? node.origin,
                "`health`: the check `\(check.rawValue)` is one of TCP, and the route carries UDP\(hint)",
                suggestion: hint.isEmpty ? "check: send" : nil)
            return false
        }
        if check == .tls || usesTLS == true || hasOwnTLS {
            let key = ["tls", "ca", "server_name", "verify", "check"].first { entries[$0] != nil } ?? "check"
            let origin = entries[key]?.origin ?? node.origin
            guard CertificateReader(context: context).isSupported(key, at: origin) else { return false }
            if transport == .udp, check == .dns || check == .send {
                diagnostics.error(origin, "`health`: TLS is one of TCP, and the check goes over UDP")
                return false
            }
            if usesTLS == false, hasOwnTLS {
                diagnostics.error(origin, "`health`: `tls: false` stands beside settings of TLS")
                return false
            }
        }
        do throws(HealthCheckError) {
            _ = try self.check(over: transport)
        } catch {
            let key = Self.key(of: error)
            diagnostics.error(
                key.flatMap { entries[$0]?.origin } ?? node.origin, "`\(key ?? "health")`: \(error)")
            return false
        }
        return true
    }

    /// The key whose value is wrong.
    private static func key(of error: HealthCheckError) -> String? {
        switch error {
        case .invalidName: "name"
        case .invalidIdentifier: "user"
        case .invalidPath: "path"
        case .invalidHost: "host"
        case .invalidStatuses: "status"
        case .emptyExpectation: "expect"
        case .tooLong, .noResponseCodes, .silenceOverTCP: nil
        }
    }
}

extension Notation where Value == HealthSettings? {
    /// A check of upstreams that carry `transport`: a mapping, the word of a kind alone, or `off`.
    static func health(over transport: Transport) -> Notation {
        let examples =
            transport == .tcp
            ? ["{check: http, path: /ready, port: 8008, status: 200}", "{check: redis, interval: 2s}"]
            : ["{check: dns}", "{check: send, send_hex: 00ff, expect: pong}"]
        let section = HealthSettings.section
        let words = HealthProtocol.allCases.map(\.rawValue)
        return Notation(
            .anyOf([.off, .words(words), section.schema]), examples: examples,
            text: { settings in settings.map(writtenText) ?? "off" }
        ) { node, key, context in
            if node.isOff { return .some(nil) }
            var settings = HealthSettings()
            var entries = SectionEntries(entries: [:])
            if case .mapping = node.content {
                guard section.read(node, named: "`\(key)`", into: &settings, context),
                    let own = context.diagnostics.section(node, section.keys, named: "`\(key)`")
                else { return nil }
                entries = own
            } else {
                guard let kind = context.diagnostics.choice(node, key, of: HealthProtocol.self) else { return nil }
                settings.check = kind
            }
            let isGood = settings.validate(entries, node, over: transport, context)
            return isGood ? .some(settings) : nil
        }
    }

    /// The kind, and all that differs from the defaults.
    private static func writtenText(_ settings: HealthSettings) -> String {
        let plain = HealthSettings()
        let parts = HealthSettings.section.settings.compactMap { setting -> String? in
            guard let variant = setting.variants.first else { return nil }
            guard setting.key == "check" || !variant.isEqual(settings, plain) else { return nil }
            return variant.text(settings).map { "\(setting.key): \($0)" }
        }
        return "{\(parts.joined(separator: ", "))}"
    }
}

extension Notation where Value == String? {
    /// A text of one line.
    fileprivate static func words(of expected: String) -> Notation {
        Notation(.anyText, examples: ["a", "b"], text: { $0.map(flowText) }) { node, key, context in
            context.diagnostics.text(node, key, expected: expected).map { .some($0) }
        }
    }
}

extension Notation where Value == [ClosedRange<Int>] {
    private static var maxStatuses: Int { 32 }

    /// One status or range, or a list of them.
    fileprivate static var statuses: Notation {
        let one = JSONValue.anyOf([.integer(in: 200...599), .text("[0-9]{3}(-[0-9]{3})?")])
        return Notation(
            .anyOf([one, .list(of: one, 1...maxStatuses)]), examples: ["200", "[200-299, 403]"],
            text: { ranges in
                let texts = ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
                return texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
            }
        ) { node, key, context in
            guard let items = context.diagnostics.oneOrMore(node, key, atMost: maxStatuses, "statuses") else {
                return nil
            }
            let ranges = items.map { item in
                context.diagnostics.parsed(item, key, expected: "a status such as `200` or `200-299`") {
                    text throws(ValueError) in try parseStatuses(text)
                }
            }
            return ranges.contains(nil) ? nil : ranges.compactMap { $0 }
        }
    }

    private static func parseStatuses(_ text: String) throws(ValueError) -> ClosedRange<Int> {
        let expected = "a status such as `200` or `200-299`"
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count) else { throw ValueError("expected \(expected), found \(quoted(text))") }
        var bounds: [Int] = []
        for part in parts { bounds.append(try parseCount(String(part), in: 200...599, expected: expected)) }
        guard let first = bounds.first, let last = bounds.last, first <= last else {
            throw ValueError("expected \(expected), found \(quoted(text))")
        }
        return first...last
    }
}

extension Notation where Value == [UInt8] {
    /// The bytes of a text; in double quotes YAML has `\r\n` and the like.
    fileprivate static var text: Notation {
        Notation(.anyText, examples: ["PING", "PONG"], text: { textOfBytes($0).map(JSONValue.quoted) }) {
            node, key, context in
            context.diagnostics.text(node, key, expected: "a text such as `\"PING\\r\\n\"`").map { Array($0.utf8) }
        }
    }

    /// Bytes as pairs of hexadecimal digits.
    fileprivate static var hex: Notation {
        let digits = Array("0123456789abcdef".utf8)
        return Notation(
            .text("([0-9A-Fa-f]{2})+"), examples: ["00ff", "0a0d"],
            text: { bytes in
                "\"" + String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
                    + "\""
            }
        ) { node, key, context in
            let expected = "pairs of hexadecimal digits such as `00ff`"
            return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                let values = text.utf8.compactMap { byte in Int(String(UnicodeScalar(byte)), radix: 16) }
                guard values.count == text.utf8.count, values.count >= 2, values.count.isMultiple(of: 2) else {
                    throw ValueError("expected \(expected), found \(quoted(text))")
                }
                return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
            }
        }
    }
}

/// The text of bytes that can be written in double quotes; nil where they are none.
private func textOfBytes(_ bytes: [UInt8]) -> String? {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    let isWritable = text.unicodeScalars.allSatisfy { scalar in
        scalar == "\r" || scalar == "\n" || scalar == "\t" || (scalar.value >= 0x20 && scalar.value < 0x7F)
    }
    return isWritable ? text : nil
}
