import NetworkTypes
import WeirAccess
import WeirDocker
import WeirExporter
import WeirMetrics
import WeirStream

/// A value of a metric label: a case of an enumeration without payloads, and all there is to declare of it.
protocol LabelValue: CaseIterable, Hashable, Sendable {
    /// The text on the page.
    var label: String { get }
    /// The streams on which it can occur: there it is exported at 0 from the start, so that `rate()` sees the first.
    var occurrence: Occurrence { get }
}

extension LabelValue {
    var occurrence: Occurrence { .always }

    /// Its index in `allCases`, without a table or a hash, because counting happens on the workers.
    ///
    /// An enumeration of 2 to 256 cases without payloads is one byte that numbers its cases in their order; one of a
    /// single case is no byte. ``LabelIndex`` compares that with `allCases` before anything is counted by it.
    var ordinal: Int {
        @inline(__always) get {
            MemoryLayout<Self>.size == 0 ? 0 : Int(unsafe unsafeBitCast(self, to: UInt8.self))
        }
    }
}

extension LabelValue where Self: RawRepresentable, RawValue == String {
    var label: String { rawValue }
}

/// The cases of a label's enumeration in the order of their indexes.
enum LabelIndex<Value: LabelValue> {
    /// All values. The index of each is its ``LabelValue/ordinal``: anything else is a mistake of ours, which traps
    /// when the first counters are made.
    static var values: [Value] {
        precondition(MemoryLayout<Value>.size <= 1, "\(Value.self) has payloads, or too many cases")
        let values = Array(Value.allCases)
        for (index, value) in values.enumerated() {
            precondition(value.ordinal == index, "\(Value.self) does not list its cases in their order")
        }
        return values
    }
}

extension Direction: LabelValue {}
extension RejectReason: LabelValue {}
extension ConnectionCloseReason: LabelValue {}
extension SessionCloseReason: LabelValue {}
extension SessionMoveReason: LabelValue {}
extension DialFailure: LabelValue {}
extension TimeoutKind: LabelValue {}
extension DropReason: LabelValue {}
extension ProxyHeader.Version: LabelValue {}
extension ProxyHeaderError: LabelValue {}
extension UpstreamErrorReason: LabelValue {}
extension AcceptErrorReason: LabelValue {}
extension ListenerFailure: LabelValue {}
extension AccessAction: LabelValue {}
extension AccessScope: LabelValue {}
extension AccessRuleKind: LabelValue {}
extension ContentEncoding: LabelValue {}
extension ContainerVerdict.State: LabelValue {}
extension EngineErrorReason: LabelValue {}
extension AgentFailure: LabelValue {}
extension TunnelResult: LabelValue {}
extension TLSFailure: LabelValue {}
extension TLSSide: LabelValue {}
extension TLSVersion: LabelValue {}

extension HTTPStatus: LabelValue {
    var label: String { "\(rawValue)" }
}

extension ExpositionFormat: LabelValue {
    var label: String {
        switch self {
        case .text004: "text"
        case .openMetrics100: "openmetrics"
        case .delimitedProtobuf: "protobuf"
        }
    }
}
