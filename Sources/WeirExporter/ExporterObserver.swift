public import WeirMetrics

/// The receiver of the exporter's events, for counting. Called on the exporter's thread.
public protocol ExporterObserver: Sendable {
    /// A request was answered, or refused. Called before the answer is written, so that a client that has the answer
    /// finds it counted.
    func requestAnswered(_ status: HTTPStatus)
    /// A page was made for a request: rendering and compressing took this long. A whole one has this many series lines;
    /// a part of one tells none.
    func pageMade(_ format: ExpositionFormat, nanoseconds: UInt64, series: Int?)
    /// The kernel took this many bytes of an answer, its head included; of an encrypted one its session did.
    func bytesSent(_ count: Int, _ encoding: ContentEncoding)
    /// A client closed its connection while its password was being checked, so that its request has no answer. The
    /// attempt was charged.
    func passwordAbandoned()
}

extension ExporterObserver {
    /// Does nothing.
    public func passwordAbandoned() {}
}
