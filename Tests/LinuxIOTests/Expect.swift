import Testing

/// As an expectation, for what cannot be taken apart: calls on values that cannot be copied, or that change.
func expectTrue(_ condition: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(condition, sourceLocation: sourceLocation)
}
