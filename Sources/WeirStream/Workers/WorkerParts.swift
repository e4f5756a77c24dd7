import LinuxIO

/// A route's part on one worker: the plan of new clients, and the open connections or sessions over all listeners.
/// Confined to the worker.
protocol WorkerRoute: AnyObject {
    /// Creates the part of a listener that belongs to this route.
    func makeListener(_ bound: Listener) -> any WorkerListener
    /// Removes a listener that has ended on every worker.
    func remove(_ listener: any WorkerListener)
    /// Returns the states of the upstreams, in order, once for each shift of their ports; none where `generation` is
    /// not that of the current plan.
    func upstreams(generation: Int) -> [[UpstreamState]]
    /// Ends the remaining connections or sessions after `timeout`. Before this call, every listener has stopped
    /// accepting on every worker.
    func drain(timeout: Duration)
    /// Ends all connections or sessions. Before this call, every listener has stopped accepting on every worker.
    func kill()
    /// Ends connections and sessions whose upstreams are gone; dials to these go on with others.
    func leave(_ gone: [GoneHost])
    /// Cancels a drain: the route serves again.
    func resume()
    /// Releases the route, which has ended on every worker or never served.
    func close()
}

/// A listener's part on one worker. Confined to the worker.
protocol WorkerListener: AnyObject {
    var bound: Listener { get }
    /// Begins to serve a bound socket.
    func listen(_ socket: consuming Socket) throws(SystemError)
    /// Takes a connection that another worker accepted. Never called for UDP.
    func take(_ handoff: Handoff)
    /// Stops accepting. TCP accepts the pending connections and closes the socket.
    func stopAccepting()
    /// Ends the remaining connections or sessions of this listener after `timeout`, while its route serves. Before this
    /// call, it has stopped accepting on every worker.
    func drain(timeout: Duration)
    /// Cancels a drain: the listener serves again.
    func resume()
    /// Releases the listener, which has ended on every worker or never served.
    func close()
}

/// A connection or session whose pre-dial hook runs.
protocol PreDialing: AnyObject {
    func preDialEnded(_ decision: DialDecision)
}
