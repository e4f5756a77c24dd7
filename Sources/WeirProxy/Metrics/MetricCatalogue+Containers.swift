import WeirDocker

// MARK: Routes from containers

extension MetricCatalogue {
    static let sourceUp = MetricDeclaration.gauge(
        "source_up",
        "1 while a container engine is followed; 0 while it is away, and all that is known of it stays in force.",
        [.source])
    static let sourceLastSync = MetricDeclaration.gauge(
        "source_last_sync_timestamp_seconds", "When all containers of an engine were last listed.", [.source],
        unit: "seconds", scale: .millisecondsAsSeconds)
    static let dockerContainers = MetricDeclaration.gauge(
        "docker_containers", "Containers of an engine, by why each is, or is not, a part of a route.",
        [.source, .of("state", ContainerVerdict.State.self)])
    static let dockerEvents = MetricDeclaration.counter(
        "docker_events_total", "Events that an engine has told of.", [.source])
    static let dockerErrors = MetricDeclaration.counter(
        "docker_errors_total",
        "Failures of an engine, and containers that became wrong: their labels, networks, ports and claims.",
        [.source, .of("reason", EngineErrorReason.self)])

    static let containers = [sourceUp, sourceLastSync, dockerContainers, dockerEvents, dockerErrors]
}
