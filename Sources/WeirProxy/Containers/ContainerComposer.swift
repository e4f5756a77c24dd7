import WeirConfiguration
import WeirDocker

/// Joins the configuration of the file with the routes of containers, of which each that does not fit is left out with
/// its reason: one wrong container harms no other.
struct ContainerComposer {
    /// A configuration that can be used, and the plan of its routes from containers.
    struct Composition {
        let configuration: Configuration
        let plan: ContainerPlan
    }

    /// The fragments of the file, without containers.
    let fragments: [ConfigurationFragment]
    let base: Configuration
    let replaced: Configuration
    let planner: ContainerPlanner
    let snapshots: [EngineSnapshot]
    let now: UInt64

    /// The most rounds in which all errors that are found leave their containers out; a later one finds those that the
    /// earlier ones hid.
    private static let maxRounds = 16

    /// The configuration with all routes that fit. `refusals` are containers that are left out from the beginning.
    func compose(_ refusals: ContainerPlanner.Refusals) -> Composition {
        var refusals = refusals
        for _ in 0..<Self.maxRounds {
            let plan = planner.plan(snapshots, base, refusals: refusals, now: now)
            guard let root = plan.root else { return Composition(configuration: base, plan: plan) }
            do throws(ConfigurationErrors) {
                return Composition(configuration: try load(root, plan), plan: plan)
            } catch {
                let found = Self.refusals(error).filter { refusals[$0.key] == nil }
                // An error of the file that only containers bring about: they are tried one by one.
                if found.isEmpty { return composeOneByOne(refusals) }
                refusals.merge(found) { first, _ in first }
            }
        }
        return composeOneByOne(refusals)
    }

    private func load(_ root: ConfigurationNode, _ plan: ContainerPlan) throws(ConfigurationErrors) -> Configuration {
        let loaded = try Configuration.load(
            fragments + [ConfigurationFragment(root: root)], rules: AccessRuleValidator(), replacing: replaced)
        var configuration = loaded.configuration
        for index in configuration.routes.indices where plan.has(configuration.routes[index].name) {
            for member in configuration.routes[index].upstreams.indices {
                configuration.routes[index].upstreams[member].isTransient = true
            }
        }
        return configuration
    }

    /// The containers that errors name.
    private static func refusals(_ errors: ConfigurationErrors) -> ContainerPlanner.Refusals {
        var refusals: ContainerPlanner.Refusals = [:]
        for diagnostic in errors.diagnostics where diagnostic.severity == .error {
            guard case .label(let container, let name) = diagnostic.origin, refusals[container] == nil else { continue }
            // Ports themselves were looked at before: what is left is a listener of something else.
            let isClaim = name == nil || name?.hasSuffix(".port") == true || name?.hasSuffix(".sni") == true
            refusals[container] = ContainerPlanner.Refusal(isClaim ? .conflict : .parse, diagnostic.description)
        }
        return refusals
    }

    private func composeOneByOne(_ refusals: ContainerPlanner.Refusals) -> Composition {
        var refusals = refusals
        for route in planner.plan(snapshots, base, refusals: refusals, now: now).parts {
            do throws(ConfigurationErrors) {
                _ = try Configuration.load(
                    fragments + [ConfigurationFragment(root: route.root)], rules: AccessRuleValidator(),
                    replacing: replaced)
            } catch {
                let message =
                    error.diagnostics.first { $0.severity == .error }?.description ?? "it does not fit the file"
                for container in route.containers {
                    refusals[container] = ContainerPlanner.Refusal(.conflict, message)
                }
            }
        }
        let plan = planner.plan(snapshots, base, refusals: refusals, now: now)
        if let root = plan.root, let configuration = try? load(root, plan) {
            return Composition(configuration: configuration, plan: plan)
        }
        // None of them, rather than a guess.
        let none = planner.plan([], base, refusals: refusals, now: .max)
        return Composition(configuration: base, plan: none)
    }
}
