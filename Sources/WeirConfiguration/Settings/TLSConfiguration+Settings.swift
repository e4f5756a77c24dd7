import NetworkTypes

// The settings of TLS.
extension RouteConfiguration {
    static let tlsSettings: [Setting<RouteConfiguration>] = [
        Setting(
            "tls", \.tls,
            .onOrSection(
                RouteTLS.section, initial: RouteTLS(),
                examples: [
                    "{certificates: {certificate: mqtt.pem, key: mqtt.key}, alpn: [mqtt]}",
                    "{certificates: {certificate: web.pem, key: web.key}}",
                ]),
            for: .tcp, page: .tls,
            "Whether clients speak TLS and the upstream gets what is inside: `true`, or `{client_ca: devices.pem}`."),
        Setting(
            "upstream_tls", \.upstreamTLS,
            .onOrSection(
                UpstreamTLS.section, initial: UpstreamTLS(),
                examples: ["{server_name: db.example.net}", "{server_name: ldap.example.net}"]),
            for: .tcp, page: .tls,
            "Whether upstreams speak TLS: `true`, or `{ca: corp.pem, server_name: ldap.example.net}`."),
        Setting(
            "handshake_timeout", \.tcpSettings.handshakeTimeout, .duration(), for: .tcp, page: .tls,
            "How long the TLS handshake with a client may take; that with an upstream is a part of the dial."),
    ]
}

extension TLSDefaults {
    static let section = Section<Self>([
        Setting(
            "certificates", \.certificates, .certificates.takingOff(as: []), default: "none",
            "Certificates with their keys, `[{certificate: net.pem, key: net.key}]`, chosen by the name that a client "
                + "asks for; the first is the default."),
        Setting(
            "minimum", \.minimum, .tlsVersion, "The oldest version of TLS that is spoken: `1.2` or `1.3`."),
    ])
}

extension RouteTLS {
    static let section = Section<Self>([
        Setting(
            "certificates", \.certificates, .certificates.takingOff(as: []), default: "those of `tls`",
            "Certificates of this route instead of those of all routes."),
        Setting(
            "client_ca", \.clientAuthorities, .optional(.authorities), default: "none",
            "A file with certificates of authorities: clients must show a certificate of one of them."),
        Setting(
            "alpn", \.protocols, .protocols.takingOff(as: []), default: "none",
            "The protocols (ALPN), by preference. A client that offers others only is refused."),
        Setting(
            "minimum", \.minimum, .optional(.tlsVersion), default: "that of `tls`", "As in `tls`."),
    ])
}

extension UpstreamTLS {
    static let section = Section<Self>(
        [
            Setting(
                "verify", \.verifies, .verification,
                "Whether upstreams must prove who they are. `off` protects against nothing but eavesdropping."),
            Setting(
                "ca", \.authorities, .optional(.authorities), default: "those of the system",
                "A file with certificates of the authorities that are trusted."),
            Setting(
                "server_name", \.serverName, .optional(.serverName), default: "each upstream's own host",
                "The name that upstreams must have, and that is asked for."),
            Setting(
                "certificate", \.certificate, .optional(.file("a file such as `client.pem`")), default: "none",
                "A file with the certificate that upstreams get to see, leaf first."),
            Setting("key", \.key, .optional(.file("a file such as `client.key`")), default: "none", "Its key."),
            Setting(
                "alpn", \.protocols, .protocols.takingOff(as: []), default: "none",
                "The protocols (ALPN) that are offered."),
            Setting(
                "minimum", \.minimum, .optional(.tlsVersion), default: "that of `tls`", "As in `tls`."),
        ],
        check: { settings, section in
            let origins = (section.entries["certificate"]?.origin, section.entries["key"]?.origin)
            guard let own = settings.own, let certificate = origins.0, let key = origins.1 else {
                guard let origin = origins.0 ?? origins.1, section.isGood else { return true }
                let missing = origins.0 == nil ? "certificate" : "key"
                section.context.diagnostics.error(
                    origin, "\(section.name): expected `certificate` and `key` together, found no `\(missing)`")
                return false
            }
            return CertificateReader(context: section.context).check(own, at: (certificate, key))
        })
}

extension CertificateFiles {
    static let section = Section<Self>(
        [
            Setting(
                "certificate", \.certificate, .file("a file such as `net.pem`"), default: "required",
                required: "a `certificate`", "A file with the certificate, leaf first: certbot's `fullchain.pem`."),
            Setting(
                "key", \.key, .file("a file such as `net.key`"), default: "required", required: "a `key`",
                "A file with its private key."),
        ],
        check: { files, section in
            guard section.isGood, let certificate = section.entries["certificate"]?.origin,
                let key = section.entries["key"]?.origin
            else { return true }
            return CertificateReader(context: section.context).check(files, at: (certificate, key))
        })
}

extension ExporterTLS {
    /// Before its keys are read.
    static let empty = ExporterTLS(CertificateFiles(certificate: NamedFile("", path: ""), key: NamedFile("", path: "")))

    static let section = Section<Self>(
        [
            Setting(
                "certificate", \.files.certificate, .file("a file such as `net.pem`"), default: "required",
                required: "a `certificate`", "A file with the certificate, leaf first; followed like those of routes."),
            Setting(
                "key", \.files.key, .file("a file such as `net.key`"), default: "required", required: "a `key`",
                "A file with its private key."),
            Setting(
                "client_ca", \.clientAuthorities, .optional(.authorities), default: "none",
                "A file with certificates of authorities: pages need a client's certificate of one of them, "
                    + "`/healthz` and `/readyz` do not."),
        ],
        check: { tls, section in
            let reader = CertificateReader(context: section.context)
            guard reader.isSupported("tls", at: section.node.origin) else { return false }
            guard section.isGood, let certificate = section.entries["certificate"]?.origin,
                let key = section.entries["key"]?.origin
            else { return true }
            return reader.check(tls.files, at: (certificate, key))
        })
}

extension Notation {
    /// `true`, `on`, or the mapping of a section; `off` and `false` are nil.
    fileprivate static func onOrSection<Wrapped>(
        _ section: Section<Wrapped>, initial: Wrapped, examples: [String]
    ) -> Notation where Value == Wrapped? {
        let mapping = Notation<Wrapped>.section(section, initial: initial, examples: examples)
        return Notation(
            .anyOf([.flag, .off, .words(["on"]), section.schema]), examples: examples,
            text: { value in value.map { $0 == initial ? "true" : mapping.text($0) ?? "true" } ?? "off" }
        ) { node, key, context in
            if case .scalar(let text, _) = node.content {
                switch text.lowercased() {
                case "off", "false": return .some(nil)
                case "on", "true":
                    return CertificateReader(context: context).isSupported(key, at: node.origin) ? initial : nil
                default: break
                }
            }
            guard case .mapping = node.content else {
                context.diagnostics.error(
                    node.origin,
                    "`\(key)`: expected `true`, `off` or a mapping such as `\(examples[0])`, found \(node.found)")
                return nil
            }
            guard CertificateReader(context: context).isSupported(key, at: node.origin) else { return nil }
            return mapping.read(node, key, context).map { .some($0) }
        }
    }
}

extension Notation where Value == [CertificateFiles] {
    /// A mapping with a certificate and its key, or a list of them.
    fileprivate static var certificates: Notation {
        let empty = NamedFile("", path: "")
        let initial = CertificateFiles(certificate: empty, key: empty)
        let schema = CertificateFiles.section.schema
        return Notation(
            .anyOf([schema, .list(of: schema, 1...1_000)]),
            examples: ["[{certificate: a.pem, key: a.key}]", "[{certificate: b.pem, key: b.key}]"],
            text: { files in
                files.isEmpty ? nil : "[\(files.map { CertificateFiles.section.text($0) }.joined(separator: ", "))]"
            }
        ) { node, key, context in
            guard CertificateReader(context: context).isSupported(key, at: node.origin),
                let items = context.diagnostics.oneOrMore(node, key, atMost: 1_000, "certificates")
            else { return nil }
            let files = items.map { item -> CertificateFiles? in
                var files = initial
                let isGood = CertificateFiles.section.read(item, named: "`\(key)`", into: &files, context)
                return isGood ? files : nil
            }
            return files.contains(nil) ? nil : files.compactMap(\.self)
        }
    }
}

extension Notation where Value == NamedFile {
    /// The path of a file.
    static func file(_ expected: String) -> Notation {
        Notation(.anyText, examples: ["a.pem", "b.pem"], text: { flowText($0.text) }) { node, key, context in
            context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                guard !text.isEmpty, !text.utf8.contains(0) else {
                    throw ValueError(
                        "expected \(expected), found \(text.isEmpty ? "empty text" : "text with a NUL in it")")
                }
                if text.hasPrefix("-----BEGIN") {
                    throw ValueError("expected \(expected), found what belongs into the file")
                }
                return NamedFile(text, path: context.referencedFiles.resolve(text, from: node.origin))
            }
        }
    }

    /// A file with certificates of authorities.
    static var authorities: Notation {
        let file = file("a file such as `ca.pem`")
        return Notation(file.schema, examples: file.examples, text: file.text) { node, key, context in
            guard let found = file.read(node, key, context) else { return nil }
            return CertificateReader(context: context).check(authorities: found, key, at: node.origin) ? found : nil
        }
    }
}

extension Notation where Value == TLSVersion {
    /// `1.2` or `1.3`, which YAML may take for a number.
    fileprivate static var tlsVersion: Notation {
        let words = TLSVersion.allCases.map(\.rawValue)
        let schema = JSONValue.anyOf([
            .words(words), .members([("enum", .array(words.map { .string($0) })), ("type", .string("string"))]),
            .members([("type", .string("number")), ("minimum", .integer(1)), ("maximum", .integer(2))]),
        ])
        return Notation(schema, examples: ["1.3", "1.2"], text: \.rawValue) { node, key, context in
            context.diagnostics.choice(node, key, of: TLSVersion.self)
        }
    }
}

extension Notation where Value == Bool {
    /// `on` or `off`.
    static var verification: Notation {
        Notation(
            .anyOf([.flag, .off, .words(["on"])]), examples: ["on", "off"], text: { $0 ? "on" : "off" }
        ) { node, key, context in
            if node.isOff {
                context.diagnostics.warning(
                    node.origin,
                    "`\(key)`: any server can pass for the upstream: name its authority with `ca` instead")
                return false
            }
            if case .scalar("on", _) = node.content { return true }
            return context.diagnostics.flag(node, key)
        }
    }
}

extension Notation where Value == String {
    /// The name of a server, or its address.
    static var serverName: Notation {
        Notation(
            .anyText, examples: ["db.example.net", "ldap.example.net"], text: { flowText($0) }
        ) { node, key, context in
            let expected = "a name such as `db.example.net`"
            return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                let name = text.hasSuffix(".") ? String(text.dropLast()) : text
                if IPAddress(name) != nil { return name }
                guard let pattern = ServerNamePattern(name), !pattern.isWildcard else {
                    throw ValueError("expected \(expected), found \(quoted(text))")
                }
                return pattern.description
            }
        }
    }
}
