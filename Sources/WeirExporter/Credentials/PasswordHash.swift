import CCrypt
import Glibc

/// Passwords as crypt(5) writes them.
enum PasswordHash {
    /// libcrypt takes no more of a password (`CRYPT_MAX_PASSPHRASE_SIZE`, its closing zero included).
    private static let maxPasswordLength = 511

    /// Whether a password can be asked about at all. It is a C string to libcrypt.
    static func isPossible(_ password: [UInt8]) -> Bool {
        password.count <= maxPasswordLength && !password.contains(0)
    }

    /// Whether `hash` was made of this password; nil where libcrypt cannot say (crypt_ra(3)). Takes as long as the hash
    /// wants it to take, tens to hundreds of milliseconds: never on a loop's thread.
    static func matches(_ password: [UInt8], _ hash: String) -> Bool? {
        let phrase = (password + [0]).map { CChar(bitPattern: $0) }
        var memory: UnsafeMutableRawPointer?
        var size: CInt = 0
        defer { unsafe free(memory) }
        guard let output = unsafe crypt_ra(phrase, hash, &memory, &size) else { return nil }
        let made = unsafe Array(UnsafeRawBufferPointer(start: output, count: strlen(output)))
        // A failure token, which no hash begins with (crypt(5)).
        if made.first == UInt8(ascii: "*") { return nil }
        return isSame(made, Array(hash.utf8))
    }

    /// Compares to the end, whatever differs before.
    private static func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}
