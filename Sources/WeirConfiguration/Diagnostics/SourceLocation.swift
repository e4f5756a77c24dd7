/// A location in a configuration file. Both numbers count from 1; columns count Unicode scalars, as YAML parsers do.
public struct SourceLocation: Sendable, Hashable, Comparable {
    /// The line, from 1.
    public let line: Int
    /// The column within the line, from 1.
    public let column: Int

    /// Makes a location from a line and a column, both counted from 1.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// Orders locations as one reads them: by line, then by column.
    public static func < (left: SourceLocation, right: SourceLocation) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

extension SourceLocation: CustomStringConvertible {
    /// `LINE:COLUMN`.
    public var description: String { "\(line):\(column)" }
}
