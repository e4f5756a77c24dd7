import Testing

/// An expectation for expressions that the macro cannot take apart: calls on noncopyable or mutating values.
func expectTrue(_ condition: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(condition, sourceLocation: sourceLocation)
}
