import NetworkTypes

/// A port that a reader of YAML 1.1 has made of `LISTEN:TARGET` without quotes, which is a number of base 60 to it:
/// `2222:22` is 133342, and `53:53` is 3233.
enum SexagesimalPort {
    /// The text that was meant where this number is no port, or one that the container does not expose while it exposes
    /// the target; nil where the number is meant.
    static func meant(by text: String, exposed: Set<UInt16>) -> String? {
        guard text.utf8.count <= 10, let number = Int(text), number >= 60 else { return nil }
        let (listen, target) = number.quotientAndRemainder(dividingBy: 60)
        guard (1...65_535).contains(listen), target > 0 else { return nil }
        if let port = UInt16(exactly: number), exposed.contains(port) || !exposed.contains(UInt16(target)) {
            return nil
        }
        return "\(listen):\(target)"
    }
}
