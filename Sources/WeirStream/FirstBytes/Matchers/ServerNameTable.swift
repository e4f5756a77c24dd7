public import NetworkTypes

/// Chooses a route by the server name and the protocols of a TLS hello.
///
/// The most exact claim wins: the name before every wildcard, a longer wildcard before a shorter one, and all of them
/// before a protocol alone; within one name or wildcard a claim with a protocol before the claim without. Of the
/// protocols that a client offers, the first one that a claim has counts. The rest goes to the route without claims, if
/// there is one: hellos that no claim takes, and bytes that are not TLS.
///
/// A choice takes one pass over the name and one look-up for each label, and allocates nothing.
public struct ServerNameTable: FirstBytesMatcher {
    /// The claims of one route. Each name is claimed with each of the protocols, if there are any. A rule without names
    /// and protocols takes the rest.
    public struct Rule: Sendable {
        /// The server names; without any, the protocols count whatever the name.
        public var names: [ServerNamePattern]
        /// The protocols (ALPN), whose names have 1 to 255 bytes.
        public var protocols: [String]
        /// The index of the route.
        public var route: Int

        /// Creates a rule.
        public init(names: [ServerNamePattern] = [], protocols: [String] = [], route: Int) {
            self.names = names
            self.protocols = protocols
            self.route = route
        }
    }

    /// Two rules claim the same for different routes.
    public struct Conflict: Error, Equatable, Sendable {
        /// The server name; nil for a claim without one.
        public let name: ServerNamePattern?
        /// The protocol; nil for a claim without one.
        public let `protocol`: String?
        /// The indices of both routes, the earlier rule's first.
        public let routes: [Int]
    }

    /// The claims to one name, or to none.
    private struct Claims: Sendable {
        /// The route without a protocol.
        var route: Int?
        /// The routes with a protocol, by the protocol's index in the table of them.
        var routes: [Int: Int] = [:]

        /// Returns the route of the first offered protocol that is claimed, or the one without a protocol.
        func route(for offered: KnownProtocols) -> Int? {
            routes.isEmpty ? route : offered.first { routes[$0] } ?? route
        }
    }

    private let names: ByteStringTable
    private let protocols: ByteStringTable
    /// The claims to the names of the table, and to the names below them.
    private let exact: [Claims]
    private let below: [Claims]
    private let nameless: Claims

    private static let dot = UInt8(ascii: ".")

    /// Creates a table.
    /// - Throws: ``Conflict``, where two claims are equal.
    public init(_ rules: [Rule]) throws(Conflict) {
        var builder = Builder()
        for rule in rules { try builder.add(rule) }
        names = ByteStringTable(builder.names)
        protocols = ByteStringTable(builder.protocols)
        exact = builder.exact
        below = builder.below
        nameless = builder.nameless
    }

    /// See ``FirstBytesMatcher``.
    public func match(
        _ bytes: Span<UInt8>, isEnd: Bool, stage: Int, serverName: inout [UInt8]?
    ) -> FirstBytesMatch {
        switch ClientHelloParser.parse(bytes) {
        case .needsMore(let count): .needsMore(atLeast: count)
        case .notTLS: matchWithoutTLS
        case .malformed: .none(.malformed)
        case .tooLong: .none(.tooLong)
        case .complete(let hello): match(hello, in: bytes, serverName: &serverName)
        }
    }

    /// The verdict about a client that does not speak TLS.
    var matchWithoutTLS: FirstBytesMatch {
        nameless.route.map { .route($0, by: .notTLS) } ?? .none(.noMatch)
    }

    /// Returns the verdict about a hello.
    /// - Parameters:
    ///   - bytes: the bytes that it was read from.
    ///   - preface: what the route's upstream gets first.
    ///   - serverName: is set to the name in the hello.
    func match(
        _ hello: ClientHello, in bytes: Span<UInt8>, preface: UpstreamPreface? = nil, serverName: inout [UInt8]?
    ) -> FirstBytesMatch {
        serverName = hello.serverName?.array ?? []
        let offered = knownProtocols(of: hello, in: bytes)
        if let name = hello.serverName, let route = name.withSpan({ route(of: $0, offered) }) {
            return .route(route, by: .name, preface: preface)
        }
        if let route = offered.first({ nameless.routes[$0] }) { return .route(route, by: .name, preface: preface) }
        return nameless.route.map { .route($0, by: .default, preface: preface) } ?? .none(.noMatch)
    }

    /// Returns the route that claims a name most exactly. The walk goes from the last label to the whole name, so a
    /// later find is a more exact one.
    private func route(of name: Span<UInt8>, _ offered: KnownProtocols) -> Int? {
        var hash = ByteStringTable.emptyHash
        var best: Int?
        for start in (0..<name.count).reversed() {
            hash = ByteStringTable.hash(name[start], before: hash)
            guard start == 0 || name[start - 1] == Self.dot,
                let index = names.index(of: name, from: start, hash: hash)
            else { continue }
            best = (start == 0 ? exact : below)[index].route(for: offered) ?? best
        }
        return best
    }

    // MARK: Protocols

    /// The offered protocols that the table has, in the client's order.
    private struct KnownProtocols {
        /// More offers are not looked at.
        static let maxCount = 16
        private var indices = InlineArray<16, Int32>(repeating: 0)
        private var count = 0

        var isFull: Bool { count == Self.maxCount }

        mutating func append(_ index: Int) {
            indices[count] = Int32(index)
            count += 1
        }

        /// Returns the first result that is not nil.
        func first(_ result: (Int) -> Int?) -> Int? {
            for position in 0..<count {
                if let found = result(Int(indices[position])) { return found }
            }
            return nil
        }
    }

    private func knownProtocols(of hello: ClientHello, in bytes: Span<UInt8>) -> KnownProtocols {
        var known = KnownProtocols()
        guard !protocols.isEmpty else { return known }
        var offers = hello.protocols
        while !known.isFull, let name = offers.next(in: bytes) {
            if let index = name.withSpan({ protocols.index(of: $0) }) { known.append(index) }
        }
        return known
    }

    // MARK: Building

    /// The table's parts while rules are added.
    private struct Builder {
        private(set) var names: [[UInt8]] = []
        private(set) var protocols: [[UInt8]] = []
        private(set) var exact: [Claims] = []
        private(set) var below: [Claims] = []
        private(set) var nameless = Claims()
        private var indicesOfNames: [[UInt8]: Int] = [:]
        private var indicesOfProtocols: [String: Int] = [:]

        mutating func add(_ rule: Rule) throws(Conflict) {
            let protocols = rule.protocols.map { ($0, index(ofProtocol: $0)) }
            if rule.names.isEmpty { try Self.add(rule, nil, protocols, to: &nameless) }
            for name in rule.names {
                let index = index(ofName: name.name)
                if name.isWildcard {
                    try Self.add(rule, name, protocols, to: &below[index])
                } else {
                    try Self.add(rule, name, protocols, to: &exact[index])
                }
            }
        }

        private static func add(
            _ rule: Rule, _ name: ServerNamePattern?, _ protocols: [(String, Int)], to claims: inout Claims
        ) throws(Conflict) {
            if protocols.isEmpty {
                if let other = claims.route, other != rule.route {
                    throw Conflict(name: name, protocol: nil, routes: [other, rule.route])
                }
                claims.route = rule.route
            }
            for (text, index) in protocols {
                if let other = claims.routes[index], other != rule.route {
                    throw Conflict(name: name, protocol: text, routes: [other, rule.route])
                }
                claims.routes[index] = rule.route
            }
        }

        private mutating func index(ofName name: [UInt8]) -> Int {
            if let index = indicesOfNames[name] { return index }
            indicesOfNames[name] = names.count
            names.append(name)
            exact.append(Claims())
            below.append(Claims())
            return names.count - 1
        }

        private mutating func index(ofProtocol text: String) -> Int {
            if let index = indicesOfProtocols[text] { return index }
            indicesOfProtocols[text] = protocols.count
            protocols.append(Array(text.utf8))
            return protocols.count - 1
        }
    }
}
