import Glibc

extension WeirProcess {
    /// Makes the process take another configuration, by SIGHUP or because it sees the file change, and returns the
    /// first scrape that says so.
    @discardableResult
    package func reload(routes: [String], rest: String = "", bySignal: Bool = true) throws -> Samples {
        let before = try scrape().reloads("success")
        try replaceConfiguration(routes: routes.joined(separator: "\n"), rest: rest)
        if bySignal { process.send(signal: SIGHUP) }
        return try scrape(until: "the new configuration is in force", deadline: .seconds(15)) {
            $0.reloads("success") > before
        }
    }
}

extension Samples {
    /// Reloads that ended with this result, `success` or `failure`.
    package func reloads(_ result: String) -> Int {
        total("weir_config_reloads_total", ["result": result])
    }

    /// The timeouts on a route.
    package func timeouts(_ route: String, _ kind: String) -> Int {
        total("weir_timeouts_total", ["route": route, "kind": kind])
    }

    /// Sessions of a UDP route that were opened, that ended (with one reason, or all), that are open.
    package func sessionsOpened(_ route: String) -> Int {
        total("weir_udp_sessions_opened_total", ["route": route])
    }

    package func sessionsClosed(_ route: String, _ reason: String? = nil) -> Int {
        var labels = ["route": route]
        labels["reason"] = reason
        return total("weir_udp_sessions_closed_total", labels)
    }

    package func sessionsRejected(_ route: String, _ reason: String? = nil) -> Int {
        var labels = ["route": route]
        labels["reason"] = reason
        return total("weir_udp_sessions_rejected_total", labels)
    }

    package func sessionsActive(_ route: String) -> Int {
        total("weir_udp_sessions_active", ["route": route])
    }
}
