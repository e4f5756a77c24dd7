/// Why an engine, or one of its containers, is not followed: a value of the label `reason`.
public enum EngineErrorReason: String, Sendable, CaseIterable {
    /// The engine cannot be reached, or answers with an error.
    case connect
    /// It has no version of the API that Weir speaks.
    case version
    /// An answer, an event or a label cannot be read.
    case parse
    /// A container has no address, or several to choose from.
    case network
    /// Two containers, or a container and the file, claim the same name or listener.
    case conflict
    /// A port may not be opened by labels, or cannot be bound.
    case port
}

/// A failure of an engine, in one line.
public struct EngineFailure: Error, Sendable, Equatable {
    /// The sort of failure.
    public let reason: EngineErrorReason
    /// The words for the log.
    public let message: String

    /// Joins a sort and its words.
    public init(_ reason: EngineErrorReason, _ message: String) {
        self.reason = reason
        self.message = message
    }
}
