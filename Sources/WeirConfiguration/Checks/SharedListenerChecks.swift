import NetworkTypes

/// The routes of one TCP listener, which names and protocols of hellos tell apart.
struct SharedListenerChecks {
    let diagnostics: Diagnostics

    /// One claim of a route: a name or none, with a protocol or none.
    private struct Claim: Hashable {
        let name: ServerNamePattern?
        let `protocol`: String?

        var text: String {
            switch (name, `protocol`) {
            case (let name?, let alpn?): "\(quoted(name.description)) with \(quoted(alpn))"
            case (let name?, nil): quoted(name.description)
            case (nil, let alpn?): "the protocol \(quoted(alpn))"
            case (nil, nil): "the clients that no name and no protocol takes"
            }
        }

        /// The verb and the pronoun that go with the text.
        var relation: String { name == nil && `protocol` == nil ? "are also those" : "is also that" }
    }

    /// Whether routes may share their listener: one of them at least takes only some clients.
    static func mayShare(_ drafts: [RouteDraft]) -> Bool { drafts.contains { !$0.route.claims.isRest } }

    /// Checks the routes of one listener against each other.
    func check(_ drafts: [RouteDraft], listener: String) {
        checkClaims(drafts, listener: listener)
        checkAgreement(drafts, listener: listener)
    }

    /// Warns of a route whose upstream listens where a protocol is spoken in which the server speaks first: its clients
    /// send no hello before the greeting, and end by `timeout`.
    func warnOfGreeting(_ draft: RouteDraft) {
        let route = draft.route
        let targets = route.upstreams.compactMap(\.port).map { $0...$0 } + route.ports.map(\.target)
        let greeter = Self.greeters.first { port, _ in targets.contains { $0.contains(port) } }
        guard let greeter else { return }
        diagnostics.warning(
            draft.portOrigin,
            "route \(quoted(draft.name)) shares its port with names, and in \(greeter.service) the server speaks first: "
                + "clients that wait for a greeting send no hello, and end by `timeout`")
    }

    /// Ports at which IANA has such services, without those that begin with TLS.
    private static let greeters: [(port: UInt16, service: String)] = [
        (21, "FTP"), (25, "SMTP"), (110, "POP3"), (119, "NNTP"), (143, "IMAP"), (587, "SMTP"), (3306, "MySQL"),
        (5900, "VNC"),
    ]

    private func checkClaims(_ drafts: [RouteDraft], listener: String) {
        var owners: [Claim: RouteDraft] = [:]
        for draft in drafts where draft.has("sni", "alpn") {
            // One clash with a route says enough.
            guard let clash = claims(of: draft.route.claims).first(where: { owners[$0] != nil }),
                let other = owners[clash]
            else {
                for claim in claims(of: draft.route.claims) { owners[claim] = draft }
                continue
            }
            let origin = draft.origin(of: clash.name == nil ? "alpn" : "sni") ?? draft.portOrigin
            let line = (other.origin(of: clash.name == nil ? "alpn" : "sni") ?? other.portOrigin).remark(in: origin)
            diagnostics.error(
                origin,
                "route \(quoted(draft.name)): \(clash.text) on \(listener) \(clash.relation) of route "
                    + "\(quoted(other.name))\(line)")
        }
    }

    private func claims(of claims: NameClaims) -> [Claim] {
        let names: [ServerNamePattern?] = claims.serverNames.isEmpty ? [nil] : claims.serverNames
        let protocols: [String?] = claims.protocols.isEmpty ? [nil] : claims.protocols
        return names.flatMap { name in protocols.map { Claim(name: name, protocol: $0) } }
    }

    /// The settings of the listener itself, which its routes have to agree on.
    private static let common = [
        "starttls", "hello_timeout", "proxy_protocol", "keepalive", "tcp_user_timeout", "defer_accept", "fast_open",
        "freebind", "unix_mode",
    ]

    private func checkAgreement(_ drafts: [RouteDraft], listener: String) {
        guard let first = drafts.first else { return }
        for draft in drafts.dropFirst() {
            for setting in RouteConfiguration.settings where Self.common.contains(setting.key) {
                let key = setting.key
                guard draft.has(key), first.has(key), let variant = setting.variant(for: .tcp),
                    !variant.isEqual(draft.route, first.route)
                else { continue }
                let origin = draft.origin(of: key) ?? draft.portOrigin
                let line = (first.origin(of: key) ?? first.portOrigin).remark(in: origin)
                diagnostics.error(
                    origin,
                    "route \(quoted(draft.name)): `\(key)` is a setting of the listener \(listener), and route "
                        + "\(quoted(first.name))\(line), which shares it, has another value")
            }
        }
    }
}
