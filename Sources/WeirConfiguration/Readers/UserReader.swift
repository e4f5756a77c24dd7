import NetworkTypes

/// Reads names with hashes of passwords. No message has anything of a hash.
struct UserReader {
    let diagnostics: Diagnostics

    /// `users`: a mapping from names to hashes.
    func read(_ value: ConfigurationNode) -> [PasswordUser] {
        guard case .mapping(let entries) = value.content, !entries.isEmpty else {
            if case .refused = value.content { return [] }
            diagnostics.error(
                value.origin, "`users`: expected a mapping from names to hashes of passwords, found none")
            return []
        }
        return entries.compactMap { entry in
            // Never what was found: it may be a password.
            guard case .scalar(let text, _) = entry.value.content else {
                if case .refused = entry.value.content { return nil }
                diagnostics.error(entry.value.origin, "`users`: expected a hash in quotes for \(quoted(entry.key))")
                return nil
            }
            do throws(ValueError) {
                let (user, remark) = try Self.user(entry.key, text)
                if let remark { diagnostics.warning(entry.value.origin, "`users`: \(quoted(entry.key)): \(remark)") }
                return user
            } catch {
                diagnostics.error(entry.value.origin, "`users`: \(quoted(entry.key)): \(error.message)")
                return nil
            }
        }
    }

    /// A user, and what is odd about the hash.
    static func user(_ name: String, _ hash: String) throws(ValueError) -> (PasswordUser, String?) {
        let isPlain = name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f && $0 != ":" }
        guard (1...128).contains(name.utf8.count), isPlain else {
            throw ValueError("expected a name of at most 128 bytes without `:` and control characters")
        }
        let remark = try PasswordHashText.check(hash)
        return (PasswordUser(name: name, hash: Secret(hash)), remark)
    }
}
