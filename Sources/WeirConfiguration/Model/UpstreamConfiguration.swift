import NetworkTypes

/// An endpoint to dial, as a member of a route's upstreams.
public struct UpstreamConfiguration: Sendable, Hashable {
    /// The machine, or a Unix socket of this one; the name of the service where ``isService`` is true.
    public var host: UpstreamHost
    /// Whether the host is the name of a service, such as `_ldap._tcp.example.net`, whose SRV records (RFC 2782) name
    /// the members with their ports, shares and precedence.
    public var isService = false
    /// The name that a member comes from, which its certificate has; nil where the host is not looked up.
    public var hostName: String?
    /// The port to dial; nil is the target port of the route. A Unix socket has none.
    public var port: UInt16?
    /// The `upstream` label; nil is host and port.
    public var name: String?
    /// The share of clients beside that of the others, 1 to 256.
    public var weight = 1
    /// Whether it gets clients only while no other upstream can take them.
    public var isBackup = false
    /// The connections or sessions that it may have at once, over all workers; nil is no limit.
    public var maxConnections: Int?
    /// Whether it gets no new clients, and keeps those that it has.
    public var isDraining = false

    /// The agent that dials it; nil where this process does.
    public var agent: String?

    /// Whether it may go away by itself, as a container does: a policy then chooses also where it is the only one, so
    /// that no dial under an earlier configuration goes to its address any more.
    public var isTransient = false
    /// The label of the upstream whose name has this address; nil for an upstream of the file.
    public var source: String?

    /// Joins a host and perhaps a port.
    public init(_ host: UpstreamHost, port: UInt16? = nil) {
        self.host = host
        self.port = port
    }

    /// The upstream as the log has it, unlike all others of its route: its name, or `host:port`, where the route's
    /// target ports are those given. A member of a name is `name:port/address:port`.
    public func text(targetPorts: String) -> String {
        if let source { return "\(source)/\(addressText(targetPorts: targetPorts))" }
        return name ?? addressText(targetPorts: targetPorts)
    }

    /// The `upstream` label: all members of a name share that of the name.
    public func label(targetPorts: String) -> String { source ?? text(targetPorts: targetPorts) }

    /// `host:port`, where the route's target ports are those given; a service and a Unix socket have no port. What an
    /// agent dials is `host:port via agent`.
    public func addressText(targetPorts: String) -> String {
        if isService || host.unixPath != nil { return host.description }
        let address = "\(host.bracketed):\(port.map(String.init) ?? targetPorts)"
        return agent.map { "\(address) via \($0)" } ?? address
    }

    /// Whether its members are those that a lookup finds. Names behind an agent are looked up there.
    public func hasMembers(_ names: NameSettings) -> Bool {
        isService || names.members == .all && host.isName && agent == nil
    }

    /// Whether it is more than a host and a port, and so is written as a mapping.
    var isDetailed: Bool { self != UpstreamConfiguration(host, port: port) }
}

extension UpstreamConfiguration: CustomStringConvertible {
    /// As it is written: the host alone, or `host:port`.
    public var description: String {
        if isService { return "{ srv: \(host) }" }
        return port.map { "\(host.bracketed):\($0)" } ?? host.description
    }
}

extension UpstreamConfiguration {
    /// Reads `db-1`, `db-1:6432`, `2001:db8::1`, `[2001:db8::1]:6432` or `unix:/run/db.sock`.
    init(parsing text: String) throws(ValueError) {
        if text.hasPrefix(UnixSocketPath.prefix) || text.hasPrefix("/") {
            self.init(try UpstreamHost(configured: text))
            return
        }
        let bytes = Array(text.utf8)
        let colon = UInt8(ascii: ":")
        // The colon before a port is the only one, or follows a bracket; any other is a part of an address.
        let isBracketed = bytes.first == UInt8(ascii: "[")
        let last = bytes.lastIndex(of: colon)
        let isPort =
            last.map { last in
                isBracketed ? last > 0 && bytes[last - 1] == UInt8(ascii: "]") : bytes.firstIndex(of: colon) == last
            } ?? false
        if let rest = text.hostOfURL {
            throw ValueError(
                "expected a host name or an IP address, perhaps with a port, found the URL \(quoted(text))",
                suggestion: (try? UpstreamConfiguration(parsing: rest))?.description)
        }
        guard isPort, let last else {
            self.init(try UpstreamHost(configured: text))
            return
        }
        let host = String(decoding: bytes[..<last], as: UTF8.self)
        let digits = bytes[(last + 1)...]
        guard !digits.isEmpty else { throw ValueError("expected a port behind the `:`, found none in \(quoted(text))") }
        guard !host.isEmpty else { throw ValueError("expected a host before the `:`, found none in \(quoted(text))") }
        let port = try parsePort(digits)
        self.init(try UpstreamHost(configured: host), port: port)
    }
}

extension String {
    /// The host and port of `tcp://db-1:5432/`; nil where this is no URL.
    fileprivate var hostOfURL: String? {
        guard let range = firstPlace(ofText: "://") else { return nil }
        return String(self[range.upperBound...].prefix { $0 != "/" })
    }
}
