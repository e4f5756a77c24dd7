public import Logging

/// swift-log's way into ``LogOutput``: for everything that is not told once per connection. Makes the line on the
/// caller's thread and queues it, so it must not be used on a worker.
public struct WeirLogHandler: LogHandler {
    private let output: LogOutput
    /// Fields of every line.
    public var metadata: Logger.Metadata = [:]
    /// Not used: the output has the level, so that a reload changes it everywhere at once.
    public var metadataProvider: Logger.MetadataProvider?

    /// A handler that writes to `output`.
    public init(_ output: LogOutput) {
        self.output = output
    }

    /// The output's level, or `info` where that is lower: what is not written may still be an event for people.
    public var logLevel: Logger.Level {
        get { min(output.level, .info) }
        set { output.level = newValue }
    }

    /// A field of every line.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// The fields that come first, in this order; others follow by name.
    private static let firstFields = ["protocol", "route", "listen", "dst", "action"]

    /// Queues the line.
    public func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let own = event.metadata { fields.merge(own) { _, new in new } }
        if let error = event.error { fields["error"] = "\(error)" }
        let time = WallClock.nanoseconds
        output.events.note(event.level, "\(event.message)", fields, at: time)
        if output.isEnabled(event.level) { output.write(line: line(event, fields, time: time)) }
    }

    private func line(_ event: LogEvent, _ fields: Logger.Metadata, time: Int64) -> [UInt8] {
        var fields = fields
        let error = event.error.flatMap { _ in fields.removeValue(forKey: "error") }
        var line = LogLine(output.format, time: time, level: event.level, message: "\(event.message)")
        for key in Self.firstFields {
            if let value = fields.removeValue(forKey: key) { line.add(key, "\(value)") }
        }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) { line.add(key, "\(value)") }
        if let error { line.add("error", "\(error)") }
        return line.finish()
    }
}
