import TestSupport
import Testing

/// Expects two byte sequences to be equal, and says where they first differ.
///
/// `#expect(a == b)` would print and diff both, which for a megabyte takes minutes.
func expectBytes(
    _ bytes: some Sequence<UInt8>, _ wanted: [UInt8], _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let bytes = Array(bytes)
    guard bytes != wanted else { return }
    let difference = zip(bytes, wanted).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    let position = difference.map { "first difference at \($0)" } ?? "one is the beginning of the other"
    Issue.record("\(what) \(bytes.count) bytes instead of \(wanted.count): \(position)", sourceLocation: sourceLocation)
}
