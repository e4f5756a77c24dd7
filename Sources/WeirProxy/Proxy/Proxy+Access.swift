import LinuxIO
import WeirConfiguration
import WeirStream

// Who may use the routes.

extension Proxy {
    /// Opens the access log's file again, after an operator or logrotate has moved it away.
    public func reopenLogs() {
        guard let file = access.log?.file else { return }
        do throws(SystemError) {
            try file.reopen()
        } catch {
            logger.error(
                "the access log could not be opened again, the old file goes on",
                metadata: ["path": "\(file.path)", "error": "\(error)"])
        }
    }

    /// Returns the hooks that decide over a route's clients, in this order, with those that count. The first refusal
    /// counts: later hooks do not see the client.
    func makeHooks(_ route: RouteConfiguration, _ observer: any RouteObserver) -> StreamHooks {
        var hooks = observer.hooks
        route.addTrust(to: &hooks)
        let access = access.makeAccess(route, observer)
        if let access {
            hooks.admit = { access.admit($0) }
            hooks.review = { access.review($0) }
            if access.judgesNames { hooks.admitSecured = { access.admitSecured($0, $1) } }
        }
        let limiter = limits.limiter(of: route, clients: components.clients, workers: components.engine.workerCount)
        limiter?.install(in: &hooks, observer.common.route.transport)
        addPolicy(of: route, to: &hooks)
        addTLS(of: route, observer, access, to: &hooks)
        addTunnels(of: route, to: &hooks)
        if let program = route.preDial { hooks.preDial = components.programs.hook(program, of: route) }
        // It lets in no client, whatever the others say.
        if components.drains.drains(route: route.name) { hooks.admit = { _ in .reject(.draining) } }
        return hooks
    }
}
