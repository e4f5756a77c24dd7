import TestSupport
import Testing

extension TestConnection.Received {
    /// Whether exactly these bytes came, and then an orderly end. For a few bytes.
    func isWhole(_ expected: [UInt8]) -> Bool { ending == .endOfStream && bytes == expected }
}

/// Compares many bytes. An expectation with `==` would look for the smallest difference of two long arrays, which
/// takes hours.
func expectSame(_ got: [UInt8], _ wanted: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    if got == wanted { return }
    let offset = zip(got, wanted).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    let difference = offset.map { "they differ at byte \($0)" } ?? "one is the beginning of the other"
    Issue.record(
        "got \(got.count) bytes, wanted \(wanted.count): \(difference)", sourceLocation: sourceLocation)
}
