/// A change that an engine tells of.
package struct EngineEvent: Sendable, Equatable {
    /// The effect on what is known of a container, before the next list tells all.
    package enum Effect: Sendable, Equatable {
        /// Its processes are gone.
        case gone
        /// Its processes run again, or for the first time.
        case started
        /// It was told to end.
        case stopping
        /// Its processes are frozen, and the opposite.
        case paused(Bool)
        /// It has left a network: nil where the engine does not say which.
        case disconnected(network: String?)
        /// The next list tells.
        case other
    }

    /// The container; nil where it concerns none.
    package let container: String?
    /// Its effect.
    package let effect: Effect

    /// The signals that end a program whose image names no other: SIGINT, SIGQUIT, SIGKILL and SIGTERM.
    private static let endingSignals: Set = ["2", "3", "9", "15"]

    /// Reads one event of `/events`; nil for one that changes nothing, such as a command that runs in a container.
    package init?(_ event: JSONNode) {
        let attributes = event["Actor"]?["Attributes"]
        let action = event["Action"]?.text ?? event["status"]?.text ?? ""
        switch event["Type"]?.text ?? "container" {
        case "container":
            guard let id = event["Actor"]?["ID"]?.text ?? event["id"]?.text, Container.isIdentifier(id) else {
                return nil
            }
            container = id
            switch action {
            case "die", "died", "destroy", "remove", "oom": effect = action == "oom" ? .other : .gone
            case "kill":
                effect = Self.endingSignals.contains(attributes?["signal"]?.text ?? "") ? .stopping : .other
            case "pause": effect = .paused(true)
            case "unpause": effect = .paused(false)
            case "start", "restart": effect = .started
            case "stop", "rename", "update", "create", "init", "sync": effect = .other
            case _ where action.hasPrefix("health_status"): effect = .other
            default: return nil
            }
        case "network":
            // To Docker the actor is the network, and to Podman the container: its events do not name the network.
            let member = attributes?["container"]?.text
            guard let id = member ?? event["Actor"]?["ID"]?.text, Container.isIdentifier(id) else { return nil }
            container = id
            switch action {
            case "connect": effect = .other
            case "disconnect": effect = .disconnected(network: member.flatMap { _ in attributes?["name"]?.text })
            default: return nil
            }
        default: return nil
        }
    }
}
