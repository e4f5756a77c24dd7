// Modules: NetworkTypes Threading LinuxIO WeirMetrics WeirExporter

import WeirMetrics

@testable import WeirExporter

private let limit = 8192
private let limits = ExporterLimits()

/// Request heads, whose bytes come from any client that reaches the exporter. Nothing may trap, the verdict must not
/// depend on how the bytes are split, and every range must lie within the head.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    let whole = scan(bytes, step: bytes.count)
    precondition(whole == scan(bytes, step: 1), "the split decides")
    guard case .success(let length?) = whole else { return 0 }
    precondition(length <= min(bytes.count, limit))
    let head = Array(bytes[..<length])
    guard let parsed = try? RequestHead.parse(head.span) else { return 0 }
    for range in [parsed.path, parsed.query, parsed.authorization] {
        precondition(range.map { $0.lowerBound >= 0 && $0.upperBound <= length } ?? true)
    }
    let plan = RequestPlan(parsed, of: head.span, limits: limits)
    precondition(plan.discards <= limits.discardedBodyBytes)
    if case .page = plan.action { precondition(plan.needsCredentials, "a page is for those who may have it") }
    if case .basic(let name, _) = plan.credentials { precondition(!name.contains(UInt8(ascii: ":"))) }
    // A head is the same with anything behind it.
    precondition(scan(head + [0, 13, 10], step: 7) == .success(length))
    return 0
}

/// The length of the head, nil where it is not whole, or why it is refused.
private func scan(_ bytes: [UInt8], step: Int) -> Result<Int?, RequestError> {
    var scanner = HeadScanner()
    var end = 0
    while end < bytes.count {
        end = min(end + step, bytes.count)
        let input = bytes[..<end]
        do throws(RequestError) {
            if let length = try scanner.scan(Array(input).span, limit: limit) { return .success(length) }
        } catch {
            return .failure(error)
        }
    }
    return .success(nil)
}
