import LinuxIO

/// A route's part on one worker: the plan that new clients follow, and those that are open, whichever listener they came
/// by. Confined to the worker.
protocol WorkerRoute: AnyObject {
    /// Makes the part of a listener whose clients all go to this route.
    func makeListener(_ bound: Listener) -> any WorkerListener
    /// Forgets a listener that has ended on every worker.
    func remove(_ listener: any WorkerListener)
    /// The states of the upstreams, where `generation` is the plan in force.
    func upstreams(generation: Int) -> [UpstreamState]?
    /// Ends what is left once `timeout` is over. Every listener has stopped accepting on every worker before.
    func drain(timeout: Duration)
    /// Ends everything. Every listener has stopped accepting on every worker before.
    func kill()
    /// Takes up again what was draining.
    func resume()
    /// The route has ended on every worker, or never served.
    func close()
}

/// A listener's part on one worker. Confined to the worker.
protocol WorkerListener: AnyObject {
    var bound: Listener { get }
    /// Begins to serve a bound socket.
    func listen(_ socket: consuming Socket) throws(SystemError)
    /// Takes a connection that another worker accepted. UDP has none.
    func take(_ handoff: Handoff)
    /// Takes nothing new any more. TCP closes the socket, after accepting all that waits in it.
    func stopAccepting()
    /// Ends those that came by this listener once `timeout` is over, while its route goes on. It has stopped accepting on
    /// every worker before.
    func drain(timeout: Duration)
    /// Takes up again what was draining.
    func resume()
    /// The listener has ended on every worker, or never served.
    func close()
}

/// A connection or session whose pre-dial hook runs.
protocol PreDialing: AnyObject {
    func preDialEnded(_ decision: DialDecision)
}
