public import WeirMetrics
import WeirStream

/// One entry of the catalogue: what the registry needs to know of a family, and what people do.
public struct MetricDeclaration: Sendable {
    /// A label, and its members where they are a closed set.
    struct Label: Sendable {
        let name: String
        let members: [String]

        private init(_ name: String, _ members: [String] = []) {
            self.name = name
            self.members = members
        }

        static let route = Label("route")
        static let transport = Label("protocol", ["tcp", "udp"])
        static let upstream = Label("upstream")
        static let listen = Label("listen")
        static let worker = Label("worker")
        static let list = Label("list")
        static let source = Label("source")
        static let version = Label("version")
        static let revision = Label("revision")
        static let swift = Label("swift")
        static let direction = of("direction", Direction.self)

        /// A label whose values are those of an enumeration that a route can have, one with a TCP listener or a UDP one
        /// where `transport` names it.
        static func of<Value: LabelValue>(
            _ name: String, _ values: Value.Type, on transport: StreamTraits = [.tcp, .udp]
        ) -> Label {
            let traits = StreamTraits.routes.subtracting([.tcp, .udp]).union(transport)
            return Label(name, LabelIndex<Value>.values.filter { $0.occurrence.isPossible(on: traits) }.map(\.label))
        }

        static func of(_ name: String, _ members: [String]) -> Label { Label(name, members) }
    }

    /// The descriptor that the registry registers.
    public let descriptor: MetricDescriptor
    let labels: [Label]

    /// The full name.
    public var name: String { descriptor.name }

    /// `counter`, `gauge` or `histogram`.
    public var typeName: String {
        switch descriptor.kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    static func counter(
        _ name: String, _ help: String, _ labels: [Label] = [], unit: String = "",
        scale: MetricDescriptor.Scale = .one, prefix: String = "weir_"
    ) -> MetricDeclaration {
        MetricDeclaration(prefix + name, help, .counter, labels, unit: unit, scale: scale)
    }

    static func gauge(
        _ name: String, _ help: String, _ labels: [Label] = [], unit: String = "",
        scale: MetricDescriptor.Scale = .one, prefix: String = "weir_"
    ) -> MetricDeclaration {
        MetricDeclaration(prefix + name, help, .gauge, labels, unit: unit, scale: scale)
    }

    /// Bounds are given in microseconds.
    static func histogram(_ name: String, _ help: String, _ labels: [Label], microseconds: [UInt64])
        -> MetricDeclaration
    {
        MetricDeclaration(
            "weir_" + name, help, .histogram(buckets: microseconds.map { $0 * 1000 }), labels, unit: "seconds",
            scale: .nanosecondsAsSeconds)
    }

    private init(
        _ name: String, _ help: String, _ kind: MetricDescriptor.Kind, _ labels: [Label], unit: String,
        scale: MetricDescriptor.Scale
    ) {
        descriptor = MetricDescriptor(
            name: name, help: help, kind: kind, unit: unit, scale: scale, labelNames: labels.map(\.name))
        self.labels = labels
    }
}

extension MetricDeclaration {
    /// The row of the reference: name, type, labels with their members, meaning.
    var row: String {
        let labelTexts = labels.map { label in
            label.members.isEmpty
                ? "`\(label.name)`"
                : "`\(label.name)`: " + label.members.map { "`\($0)`" }.joined(separator: ", ")
        }
        let labelText = labelTexts.isEmpty ? "–" : labelTexts.joined(separator: "; ")
        return "| `\(name)` | \(typeName) | \(labelText) | \(descriptor.help) |"
    }
}
