import NetworkTypes

@testable import WeirConfiguration

/// A setting of the table with all that a test needs to change it in a file.
struct ListedSetting: Sendable {
    /// The keys on the way to it; routes have `routes.*` there.
    let path: String
    /// The transport of a route that has it.
    let transport: Transport?
    let needsRestart: Bool
    /// Values as they are written.
    let examples: [String]
}

extension Configuration {
    /// Every setting that has a value, those of routes once for each transport that reads them in its own way.
    static var allSettings: [ListedSetting] {
        section.settings.listed(below: "")
            + RouteConfiguration.settings.flatMap { setting in
                setting.variants.map { variant in
                    ListedSetting(
                        path: "routes.*.\(setting.key)", transport: variant.transport,
                        needsRestart: setting.reload == .restart, examples: variant.examples)
                }
            }
    }
}

extension [Setting<Configuration>] {
    fileprivate func listed(below prefix: String) -> [ListedSetting] {
        flatMap { setting -> [ListedSetting] in
            switch setting.content {
            case .group(let settings): return settings.listed(below: "\(prefix)\(setting.key).")
            case .value:
                return setting.variants.map {
                    ListedSetting(
                        path: prefix + setting.key, transport: nil, needsRestart: setting.reload == .restart,
                        examples: $0.examples)
                }
            case .structure, .later: return []
            }
        }
    }
}
