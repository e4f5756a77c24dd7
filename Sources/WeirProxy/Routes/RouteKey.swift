import NetworkTypes
import WeirConfiguration

/// The identity of a route in one configuration: its name and its transport, because a route for both transports is
/// two.
struct RouteKey: Hashable, Sendable {
    let name: String
    let transport: Transport

    init(_ route: RouteConfiguration) {
        name = route.name
        transport = route.transport
    }
}

extension RouteKey: Comparable, CustomStringConvertible {
    /// `tcp ssh`.
    var description: String { "\(transport.rawValue) \(name)" }

    static func < (first: RouteKey, second: RouteKey) -> Bool { first.description < second.description }
}
