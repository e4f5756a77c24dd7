import WeirExporter
import WeirMetrics
import WeirStream

/// A member of a closed enumeration that is a metric label: its place in `allCases`, found without a table or a hash,
/// because counting happens on the workers.
protocol MetricMember: CaseIterable, Sendable {
    /// The label's value.
    var label: String { get }
    /// 0 ..< the number of cases.
    var memberIndex: Int { get }
}

extension MetricMember where Self: RawRepresentable, RawValue == String {
    var label: String { rawValue }
}

extension Direction: MetricMember {
    var memberIndex: Int { self == .ingress ? 0 : 1 }
}

extension RejectReason: MetricMember {
    var memberIndex: Int {
        switch self {
        case .acl: 0
        case .routeLimit: 1
        case .sessionLimit: 2
        case .perIPLimit: 3
        case .rateLimit: 4
        case .hook: 5
        case .noUpstream: 6
        case .proxyProtocol: 7
        case .draining: 8
        }
    }
}

extension ConnectionCloseReason: MetricMember {
    var memberIndex: Int {
        switch self {
        case .clientEOF: 0
        case .upstreamEOF: 1
        case .clientReset: 2
        case .upstreamReset: 3
        case .timeout: 4
        case .dialFailed: 5
        case .hook: 6
        case .drained: 7
        case .killed: 8
        case .error: 9
        }
    }
}

extension SessionCloseReason: MetricMember {
    var memberIndex: Int {
        switch self {
        case .idle: 0
        case .responses: 1
        case .evicted: 2
        case .upstreamError: 3
        case .drained: 4
        case .routeRemoved: 5
        case .hook: 6
        }
    }
}

extension DialFailure: MetricMember {
    var memberIndex: Int {
        switch self {
        case .refused: 0
        case .timeout: 1
        case .unreachable: 2
        case .reset: 3
        case .dns: 4
        case .descriptorLimit: 5
        case .addressUnavailable: 6
        case .permission: 7
        case .loop: 8
        case .canceled: 9
        case .other: 10
        }
    }
}

extension TimeoutKind: MetricMember {
    var memberIndex: Int {
        switch self {
        case .dial: 0
        case .idle: 1
        case .halfClose: 2
        case .proxyHeader: 3
        case .preDial: 4
        case .drain: 5
        }
    }
}

extension DropReason: MetricMember {
    var memberIndex: Int {
        switch self {
        case .acl: 0
        case .sessionLimit: 1
        case .rateLimit: 2
        case .bandwidth: 3
        case .queueFull: 4
        case .noUpstream: 5
        case .sendBuffer: 6
        case .truncated: 7
        case .tooLarge: 8
        case .draining: 9
        case .kernelOverflow: 10
        case .error: 11
        }
    }
}

extension ProxyHeader.Version: MetricMember {
    var memberIndex: Int { self == .v1 ? 0 : 1 }
}

extension ProxyHeaderError: MetricMember {
    var memberIndex: Int {
        switch self {
        case .missing: 0
        case .malformed: 1
        case .unsupportedVersion: 2
        case .unsupportedCommand: 3
        case .unsupportedFamily: 4
        case .tooLong: 5
        case .checksum: 6
        case .truncated: 7
        case .timeout: 8
        case .untrusted: 9
        }
    }
}

extension UpstreamErrorReason: MetricMember {
    var memberIndex: Int {
        switch self {
        case .refused: 0
        case .unreachable: 1
        case .tooBig: 2
        case .other: 3
        }
    }
}

extension AcceptErrorReason: MetricMember {
    var memberIndex: Int {
        switch self {
        case .descriptorLimit: 0
        case .memory: 1
        case .aborted: 2
        case .other: 3
        }
    }
}

extension HTTPStatus: MetricMember {
    var label: String { "\(rawValue)" }
    var memberIndex: Int { HTTPStatus.allCases.firstIndex(of: self) ?? 0 }
}

extension ContentEncoding: MetricMember {
    var memberIndex: Int { self == .identity ? 0 : 1 }
}

extension ExpositionFormat: MetricMember {
    var label: String {
        switch self {
        case .text004: "text"
        case .openMetrics100: "openmetrics"
        case .delimitedProtobuf: "protobuf"
        }
    }
    var memberIndex: Int {
        switch self {
        case .text004: 0
        case .openMetrics100: 1
        case .delimitedProtobuf: 2
        }
    }
}
