/// The receiver of what happens between Weir and its engines. Called on the engine's thread.
public protocol ContainerObserver: Sendable {
    /// The engine answers, with this version of its API.
    func connected(_ engine: String, version: String)
    /// The engine cannot be asked, or something of it cannot be read. What is known of it stays in force. `isAway` says
    /// that the connection is over.
    func failed(_ engine: String, _ failure: EngineFailure, isAway: Bool)
    /// All of its containers were listed.
    func listed(_ engine: String)
    /// The engine has told of an event.
    func sawEvent(_ engine: String)
}
