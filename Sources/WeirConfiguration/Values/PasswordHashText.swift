/// Looks at hashes of passwords: only what libcrypt is asked to compute, within bounds that keep it short. No message
/// shows anything of a hash.
enum PasswordHashText {
    private static let advice = "make one with `mkpasswd -m yescrypt` or `htpasswd -nBC 12 NAME`"
    private static let alphabet = Array("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Says what is odd about a hash, or nil.
    /// - Throws: where it is of a kind that is weak or unknown, is damaged, or takes too long.
    static func check(_ text: String) throws(ValueError) -> String? {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false).map { Array($0.utf8) }
        guard parts.count >= 4, parts[0].isEmpty else { throw refusal(of: text) }
        switch String(decoding: parts[1], as: UTF8.self) {
        case "2a", "2b", "2y": return try checkBcrypt(parts)
        case "6": return try checkSHA512(parts)
        case "y": return try checkYescrypt(parts)
        default: throw refusal(of: text)
        }
    }

    /// `$2b$12$`, then 22 characters of salt and 31 of hash.
    private static func checkBcrypt(_ parts: [[UInt8]]) throws(ValueError) -> String? {
        let costs = 4...14
        guard parts.count == 4, parts[2].count == 2, parts[3].count == 53, isInAlphabet(parts[3]) else {
            throw damaged("bcrypt")
        }
        guard let cost = try? parseCount(String(decoding: parts[2], as: UTF8.self), in: costs, expected: "") else {
            throw ValueError(
                "expected a bcrypt hash with a cost of \(costs.lowerBound) to \(costs.upperBound), found another")
        }
        return cost < 10 ? "its bcrypt cost of \(cost) is low: \(advice)" : nil
    }

    /// `$6$`, perhaps `rounds=5000$`, then the salt, `$` and 86 characters of hash.
    private static func checkSHA512(_ parts: [[UInt8]]) throws(ValueError) -> String? {
        let prefix = Array("rounds=".utf8)
        let bounds = 1000...1_000_000
        let hasRounds = parts[2].starts(with: prefix)
        let rest = parts[(hasRounds ? 3 : 2)...]
        guard rest.count == 2, let salt = rest.first, let hash = rest.last, (1...16).contains(salt.count),
            isInAlphabet(salt), hash.count == 86, isInAlphabet(hash)
        else { throw damaged("SHA-512") }
        guard hasRounds else { return nil }
        let roundsText = String(decoding: parts[2][prefix.count...], as: UTF8.self)
        guard let rounds = try? parseCount(roundsText, in: bounds, expected: "") else {
            throw ValueError(
                "expected a SHA-512 hash of \(bounds.lowerBound) to \(bounds.upperBound) rounds, found another number")
        }
        return rounds < 5000 ? "its \(rounds) rounds are few: \(advice)" : nil
    }

    /// `$y$j9T$`, the salt, `$` and 43 characters of hash. The second character says how much memory it takes.
    private static func checkYescrypt(_ parts: [[UInt8]]) throws(ValueError) -> String? {
        guard parts.count == 5, parts[2].count == 3, parts[2][0] == UInt8(ascii: "j"), parts[4].count == 43,
            parts[3].count <= 86, isInAlphabet(parts[3]), isInAlphabet(parts[4])
        else { throw damaged("yescrypt") }
        let isLarge = parts[2][2] == UInt8(ascii: "T")
        guard isLarge || parts[2][2] == UInt8(ascii: "5"),
            let size = alphabet.firstIndex(of: parts[2][1]), size >= 9
        else { throw damaged("yescrypt") }
        // 2^(size + 1) blocks of 4 KiB, or of 1 KiB.
        let mebibytes = (isLarge ? 4 : 1) << (size + 1 - 10)
        guard size < 20, mebibytes <= 128 else {
            throw ValueError("expected a yescrypt hash that takes at most 128 MiB, such as one of cost 5, found more")
        }
        return nil
    }

    private static func isInAlphabet(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy(alphabet.contains) }

    private static func damaged(_ kind: String) -> ValueError {
        ValueError("expected a whole \(kind) hash, found a damaged one; \(advice)")
    }

    private static func refusal(of text: String) -> ValueError {
        let weak: [(prefix: String, kind: String)] = [
            ("$1$", "MD5"), ("$apr1$", "Apache's MD5"), ("{SHA}", "SHA-1"), ("$sha1$", "SHA-1"), ("$md5", "MD5"),
            ("$3$", "NT"), ("$2x$", "broken bcrypt"), ("_", "DES"),
        ]
        let isDES = text.utf8.count == 13 && isInAlphabet(Array(text.utf8))
        if let kind = isDES ? "DES" : weak.first(where: { text.hasPrefix($0.prefix) })?.kind {
            return ValueError(
                "expected a yescrypt, bcrypt or SHA-512 hash, found one of the weak kind \(kind); \(advice)")
        }
        if text.hasPrefix("$") {
            return ValueError("expected a yescrypt, bcrypt or SHA-512 hash, found another kind; \(advice)")
        }
        return ValueError(
            "expected a hash as crypt(5) writes it, found none: a password itself must not stand here; \(advice)")
    }
}
