import WeirConfiguration
import WeirStream

/// The access rules that are in use, where their decisions are logged, and who is watched for hiding behind a gateway.
struct AccessState: Sendable {
    let plan: AccessPlan
    let log: AccessLog?
    /// By the name of the route: what was noticed once is not told again after a reload.
    private let gateways: [String: SharedAddressDetector]

    /// Makes what `configuration` asks for; what `previous` has of it is taken over.
    init(_ configuration: Configuration, components: ProxyComponents, previous: AccessState? = nil) throws(ProxyError) {
        plan = try AccessPlan(configuration, previous: previous?.plan)
        if let wanted = configuration.access.log {
            log = try AccessLog(wanted, components: components, previous: previous?.log)
        } else {
            log = nil
        }
        let known = previous?.gateways ?? [:]
        gateways = Dictionary(
            configuration.routes.map { ($0.name, known[$0.name] ?? SharedAddressDetector()) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Creates the access hook of a route; nil where there are no rules.
    func makeAccess(_ route: RouteConfiguration, _ observer: any RouteObserver) -> RouteAccess? {
        plan.policy(of: route).map {
            RouteAccess(
                $0, observer: observer, log: log, gateway: gateways[route.name],
                hasNames: route.tls?.clientAuthorities != nil)
        }
    }

    /// It is not used any more, but `successor` is: ends a log that is only its own.
    func end(successor: AccessState?) {
        guard let log, log.file !== successor?.log?.file else { return }
        log.file.map { _ in log.output.close(within: .zero) }
    }
}
