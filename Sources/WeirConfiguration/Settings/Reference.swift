import NetworkTypes

// The reference in `docs/settings.md`.
extension Configuration {
    /// The route fields as a Markdown table, for `docs/settings.md`.
    public static var fieldReference: String {
        var lines = ["| field | for | default | meaning | page |", "|---|---|---|---|---|"]
        for setting in RouteConfiguration.settings {
            let transports = setting.transports.map { $0.rawValue.uppercased() }.joined(separator: ", ")
            let page = setting.page?.link ?? ""
            lines.append(
                "| `\(setting.key)` | \(transports) | \(setting.routeDefault) | \(setting.meaning) | \(page) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The settings outside of routes as a Markdown table, for `docs/settings.md`.
    public static var settingReference: String {
        let rows = section.settings.rows(below: "", of: Configuration(), on: nil)
        return (["| setting | default | meaning | page |", "|---|---|---|---|"] + rows).joined(separator: "\n") + "\n"
    }
}

extension [Setting<Configuration>] {
    /// Values come before the sections beside them. `page` is that of the section.
    fileprivate func rows(below prefix: String, of defaults: Configuration, on page: DocumentationPage?) -> [String] {
        var values: [String] = []
        var groups: [String] = []
        for setting in self {
            let page = setting.page ?? page
            switch setting.content {
            case .group(let settings):
                groups += settings.rows(below: "\(prefix)\(setting.key).", of: defaults, on: page)
            case .value:
                let restart = setting.reload == .restart ? " Fixed for the life of the process." : ""
                let text = setting.defaultText(setting.variants.first, of: defaults)
                values.append(
                    "| `\(prefix)\(setting.key)` | \(text) | \(setting.meaning)\(restart) | \(page?.link ?? "") |")
            case .structure, .later: continue
            }
        }
        return values + groups
    }
}

extension Setting {
    /// The default: in words where there are some, otherwise the value that the root really has.
    func defaultText(_ variant: Variant?, of root: Root) -> String {
        defaultWords ?? (variant?.initialText ?? variant?.text(root)).map { "`\($0)`" } ?? "none"
    }
}

extension Setting<RouteConfiguration> {
    /// The default, for each transport by itself where they differ.
    fileprivate var routeDefault: String {
        let texts = transports.map { transport in
            let scheme: Network = transport == .tcp ? .tcp : .udp
            let route = RouteConfiguration(name: "", scheme: scheme, listenPort: 0, upstreamPort: 0)
            return (transport, defaultText(variant(for: transport), of: route))
        }
        if Set(texts.map(\.1)).count == 1, let text = texts.first?.1 { return text }
        return texts.map { "\($0.0.rawValue.uppercased()) \($0.1)" }.joined(separator: ", ")
    }
}
