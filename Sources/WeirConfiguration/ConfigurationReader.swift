/// Reads the whole tree of a file.
struct ConfigurationReader {
    let findings: Findings

    func read(_ root: YAMLValue) -> Configuration? { nil }
}
