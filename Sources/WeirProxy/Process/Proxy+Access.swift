import LinuxIO
import WeirConfiguration
import WeirStream

// Who may use the routes.

extension Proxy {
    /// Opens the access log's file again, for whoever has moved it away.
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

    /// What decides over a route's clients, in this order, and who counts for it. The first refusal counts: nothing
    /// behind it sees the client.
    func makeHooks(_ route: RouteConfiguration, _ observer: any RouteObserver) -> StreamHooks {
        var hooks = observer.hooks
        var admissions: [StreamHooks.Admit] = []
        if let access = access.makeAccess(route, observer) {
            admissions.append { access.admit($0) }
            hooks.review = { access.review($0) }
        }
        hooks.admit = Self.inOrder(admissions)
        return hooks
    }

    private static func inOrder(_ admissions: [StreamHooks.Admit]) -> StreamHooks.Admit? {
        if admissions.count < 2 { return admissions.first }
        return { context in
            for admit in admissions {
                if case .reject(let reason) = admit(context) { return .reject(reason) }
            }
            return .accept
        }
    }
}
