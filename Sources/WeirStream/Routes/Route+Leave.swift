extension Route {
    /// Ends every connection and session to hosts that are gone for good, those of earlier configurations included, and
    /// lets dials to them go on with the next upstream. First give the route a configuration without them.
    public func leave(_ gone: [GoneHost]) async {
        for worker in engine.workers { await worker.leave(gone, route: number) }
    }
}
