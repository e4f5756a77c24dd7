public import WeirStream

// Rules and limits for a stream of any program. They compose with the hooks that are there already.

extension StreamHooks {
    /// Lets only clients in that these rules let pass: first of all, before any other hook sees the client. Sessions
    /// that are open when a stream takes over these hooks are judged again.
    ///
    /// Denied clients are rejected as `RejectReason.acl`: TCP with a reset, UDP with silence.
    ///
    /// Rules about the names in certificates count for hooks that have a `clientSession` already: they are judged after
    /// its handshake. Without one no client has a name.
    public mutating func enforce(_ policy: AccessPolicy) {
        let (admitBefore, reviewBefore, securedBefore) = (admit, review, admitSecured)
        let judgesNames = policy.judgesNames && clientSession != nil
        admit = { context in
            let decision = judgesNames ? policy.decideEarly(context) : policy.decide(context)
            if let decision, decision.action != .allow { return .reject(.acl) }
            return admitBefore?(context) ?? .accept
        }
        if judgesNames {
            admitSecured = { context, session in
                let decision = policy.decide(context, names: session.peerNames)
                guard decision.action == .allow else { return .reject(.acl) }
                return securedBefore?(context, session) ?? .accept
            }
        }
        review = { context in
            guard policy.decide(context).action == .allow else { return .reject(.acl) }
            return reviewBefore?(context) ?? .accept
        }
    }

    /// Holds the clients to limits, behind the hooks that are there: a client that they refuse takes nothing.
    ///
    /// Rejected are clients with too many connections (`perIPLimit`) and those that open them too
    /// fast (`rateLimit`). What a connection or session has taken is free again when its context
    /// goes, with its end.
    public mutating func enforce(_ limiter: ClientLimiter) {
        limiter.limiter?.install(in: &self)
    }
}

extension AccessPolicy {
    /// The policy of rules as a configuration has them: `ip:192.0.2.7`, `cidr:2001:db8::/32`, or the bare address or
    /// block.
    ///
    /// A rule of `deny` decides first. Then a client on this machine passes, unless a PROXY header names it, then one
    /// that a rule of `allow` matches. All others get `default`.
    /// - Throws: the first rule that cannot be read.
    public init(
        deny: [String], allow: [String] = [], default action: AccessAction = .allow
    ) throws(AccessRule.ParseError) {
        self.init(
            route: Lists(deny: try AccessList(parsing: deny), allow: try AccessList(parsing: allow)),
            routeDefault: action)
    }
}

extension AccessList {
    /// The list of rules in the form of ``AccessRule/init(parsing:)``, or of bare addresses and blocks.
    /// - Throws: the first rule that cannot be read.
    public convenience init(parsing rules: [String]) throws(AccessRule.ParseError) {
        var entries: [Entry] = []
        for rule in rules {
            entries.append(Entry(try AccessRule(parsingBare: Array(rule.utf8)[...]), text: rule))
        }
        self.init(entries)
    }
}
