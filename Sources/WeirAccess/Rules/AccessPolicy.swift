public import NetworkTypes
public import WeirStream

/// The order in which a client is judged: the first step that has something to say decides.
///
/// This is the one table of that order; ``AccessPolicy/decide(_:isPeer:)`` walks it from top to bottom.
public enum AccessStep: Int, CaseIterable, Sendable {
    /// A rule of the global deny list matches: deny.
    case globalDeny
    /// A rule of the route's deny list matches: deny.
    case routeDeny
    /// The peer itself is on this machine (127.0.0.0/8, ::1, a Unix socket), and no PROXY header names another client:
    /// allow.
    case loopback
    /// A rule of the route's allow list matches: allow.
    case routeAllow
    /// The route has a default: that.
    case routeDefault
    /// A rule of the global allow list matches: allow.
    case globalAllow
    /// `allow_local` is on and the client's address is of a private network: allow.
    case allowLocal
    /// The global default.
    case globalDefault

    /// All of them, kept: `allCases` makes an array each time.
    static let order = allCases

    /// The owner of the rules that this step asks: the route, or all routes.
    public var scope: AccessScope {
        switch self {
        case .routeDeny, .routeAllow, .routeDefault: .route
        case .globalDeny, .loopback, .globalAllow, .allowLocal, .globalDefault: .global
        }
    }
}

/// The decision over a client, and the kind of rule that made it.
public struct AccessDecision: Hashable, Sendable {
    /// The kinds of decision that metrics tell apart.
    public struct Outcome: Hashable, Sendable {
        /// The action for the client.
        public let action: AccessAction
        /// The kind of the rule that decided.
        public let kind: AccessRuleKind
        /// The owner of that rule.
        public let scope: AccessScope
    }

    /// The action for the client.
    public let action: AccessAction
    /// The kind of the rule that decided.
    public let kind: AccessRuleKind
    /// Which step of the order decided.
    public let step: AccessStep
    /// The number of the rule in that step's list; nil where it has none.
    public let rule: Int?

    /// For metrics.
    public var outcome: Outcome { Outcome(action: action, kind: kind, scope: step.scope) }
}

/// The rules for the clients of a route: its own and those of all routes. Immutable; asked on the workers.
public struct AccessPolicy: Sendable {
    /// The lists of one scope.
    public struct Lists: Sendable {
        /// The clients that are denied.
        public var deny: AccessList
        /// The clients that are let in.
        public var allow: AccessList

        /// No rules, or these.
        public init(deny: AccessList = .empty, allow: AccessList = .empty) {
            self.deny = deny
            self.allow = allow
        }
    }

    /// The lists that hold for every route.
    public var global: Lists
    /// The action for clients that no rule matches.
    public var globalDefault: AccessAction
    /// Whether addresses of private networks pass before the global default.
    public var allowsLocal: Bool
    /// The route's own lists.
    public var route: Lists
    /// The action of this route for clients that none of its rules matches; nil leaves them to the global lists.
    public var routeDefault: AccessAction?
    /// The locator of addresses, for rules that need it.
    public var locator: (any AddressLocator)?

    /// The policy that lets everybody pass, or this one.
    public init(
        global: Lists = Lists(), globalDefault: AccessAction = .allow, allowsLocal: Bool = true,
        route: Lists = Lists(), routeDefault: AccessAction? = nil, locator: (any AddressLocator)? = nil
    ) {
        self.global = global
        self.globalDefault = globalDefault
        self.allowsLocal = allowsLocal
        self.route = route
        self.routeDefault = routeDefault
        self.locator = locator
    }

    /// Judges the client of a connection or session. No rule of addresses matches the client of a Unix socket, which is
    /// on this machine: the permissions of its file decide. `names` are those in its verified certificate, in lower
    /// case.
    public func decide(_ context: StreamContext, names: [String] = []) -> AccessDecision {
        if context.clientAddress.isUnix {
            return denial(of: names) ?? AccessDecision(action: .allow, kind: .local, step: .loopback, rule: nil)
        }
        return decide(context.clientAddress.ip, isPeer: !context.isNamedByHeader, names: names)
    }

    /// Judges an address. `isPeer` says whether the kernel told it, as that of the peer: a loopback address is on this
    /// machine only then. One that a PROXY header names, or any other report, is an address like any other.
    public func decide(_ address: IPAddress, isPeer: Bool, names: [String] = []) -> AccessDecision {
        var known: AddressLocation?
        func location() -> AddressLocation {
            if let known { return known }
            let found = locator?.location(of: address) ?? AddressLocation()
            known = found
            return found
        }
        for step in AccessStep.order {
            if let decision = decide(address, isPeer: isPeer, names, at: step, location: location) { return decision }
        }
        preconditionFailure("the last step decides over every client")
    }

    private func decide(
        _ address: IPAddress, isPeer: Bool, _ names: [String], at step: AccessStep, location: () -> AddressLocation
    ) -> AccessDecision? {
        func by(_ list: AccessList, _ action: AccessAction) -> AccessDecision? {
            guard let number = list.match(address, names: names, location: location) else { return nil }
            return AccessDecision(action: action, kind: list[number].rule.kind, step: step, rule: number)
        }
        func without(_ kind: AccessRuleKind, _ action: AccessAction) -> AccessDecision {
            AccessDecision(action: action, kind: kind, step: step, rule: nil)
        }
        switch step {
        case .globalDeny: return by(global.deny, .deny)
        case .routeDeny: return by(route.deny, .deny)
        case .loopback: return isPeer && address.isLoopback ? without(.local, .allow) : nil
        case .routeAllow: return by(route.allow, .allow)
        case .routeDefault: return routeDefault.map { without(.default, $0) }
        case .globalAllow: return by(global.allow, .allow)
        case .allowLocal: return allowsLocal && address.isPrivate ? without(.local, .allow) : nil
        case .globalDefault: return without(.default, globalDefault)
        }
    }
}
