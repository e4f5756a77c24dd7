import NetworkTypes

/// Lists of addresses and blocks of them.
extension Diagnostics {
    /// A list that is longer is asked for something else: each peer is looked up in it.
    private static let maxBlocks = 10_000

    /// The blocks of a list; nil after an error. `ofEverything` says what a block means that holds every address.
    func blocks(_ value: ConfigurationNode, _ key: String, ofEverything meaning: String) -> [IPPrefix]? {
        switch value.content {
        case .null: return []
        case .refused: return nil
        case .sequence(let items):
            if items.count > Self.maxBlocks {
                error(value.origin, "`\(key)`: expected at most \(Self.maxBlocks) blocks, found \(items.count)")
                return nil
            }
            let blocks = items.map { block($0, key, ofEverything: meaning) }
            return blocks.contains(nil) ? nil : blocks.compactMap { $0 }
        case .scalar, .mapping:
            error(value.origin, "`\(key)`: expected a list such as `[10.0.0.0/8]`, found \(value.found)")
            return nil
        }
    }

    private func block(_ item: ConfigurationNode, _ key: String, ofEverything meaning: String) -> IPPrefix? {
        let block = parsed(item, key, expected: "an address or a block such as `10.0.0.0/8`") {
            text throws(ValueError) in try IPPrefix(configured: text)
        }
        if let block, block.isEverything {
            warning(item.origin, "`\(key)`: `\(block)` is every address: \(meaning)")
        }
        return block
    }
}
