import LinuxIO

/// Decides whether a request may read a page. Confined to the exporter's thread; another thread checks passwords.
///
/// Verdicts are remembered under a keyed digest of name, hash and password: a scraper's password is checked once in
/// the life of the process, a wrong password each time that it is new. Another hash gives another digest, so that a
/// reload forgets the verdicts of changed users only.
struct Authenticator {
    /// The decision on a request.
    enum Decision: Equatable {
        case granted
        /// 401.
        case denied
        /// 429: too many attempts of this source at this name, or too many passwords wait.
        case throttled
        /// The password with this digest is being checked; ask again when there are verdicts.
        case undecided(KeyedDigest.Value)
        /// 503: libcrypt could not check the password.
        case unable
    }

    /// The account that attempts are charged to. The name is a part of it, so that guesses at another name from the
    /// same address do not lock a scraper out.
    struct Account: Hashable {
        var source: ClientSource
        /// The digest of the user's name; nil for tokens.
        var name: KeyedDigest.Value?
    }

    private static let maxVerdicts = 256
    private static let maxAccounts = 1024
    private static let second: UInt64 = 1_000_000_000

    private let digest = KeyedDigest()
    private var tokens: [KeyedDigest.Value] = []
    private var users: [[UInt8]: String] = [:]
    /// All configured hashes, as decoys for unknown names.
    private var hashes: [String] = []
    private var isOpen = true
    private var right = VerdictCache(capacity: maxVerdicts)
    private var wrong = VerdictCache(capacity: maxVerdicts)
    /// Passwords in the verifier, each with the number of connections that wait for its verdict.
    private var pending: [KeyedDigest.Value: Int] = [:]
    /// Passwords that could not be checked, until the waiting connections have been answered.
    private var unable: Set<KeyedDigest.Value> = []
    /// Attempts: ten at once, then one a second.
    private var attempts = FailureThrottle<Account>(burst: 10, interval: second, maxKeys: maxAccounts)
    /// Checks of passwords for each source, under any name: else a source would have ten for each name that it makes
    /// up. A remembered password needs none.
    private var looks = FailureThrottle<ClientSource>(burst: 40, interval: second / 4, maxKeys: maxAccounts)
    /// Nil before the exporter starts.
    var verifier: PasswordVerifier?

    /// The values of `WWW-Authenticate`.
    private(set) var challenges: [String] = []

    /// Replaces tokens and users.
    mutating func update(_ access: ExporterAccess) {
        isOpen = !access.needsCredentials
        tokens = access.tokens.map { digest.value(of: [$0]) }
        users = [:]
        for user in access.users { users[Array(user.name.utf8)] = user.hash.text }
        hashes = access.users.map(\.hash.text)
        challenges = []
        if !access.tokens.isEmpty { challenges.append("Bearer realm=\"metrics\"") }
        if !access.users.isEmpty { challenges.append("Basic realm=\"metrics\", charset=\"UTF-8\"") }
    }

    /// The decision on a request with these credentials.
    ///
    /// - Parameters:
    ///   - awaited: the password that the connection waits for since an earlier call; it was charged then.
    ///   - now: the loop's time, in nanoseconds.
    mutating func decide(
        _ credentials: Credentials, from source: ClientSource, awaited: KeyedDigest.Value? = nil, now: UInt64
    ) -> Decision {
        if isOpen { return .granted }
        switch credentials {
        // Browsers send their first request without a password.
        case .none, .unknown: return .denied
        case .bearer(let token):
            let presented = digest.value(of: [token])
            var isRight = false
            // To the end of the list, so that the time does not tell which one it was.
            for token in tokens where token.isSame(as: presented) { isRight = true }
            // A right token is no guess (it has no name, and cannot be found by trying): a neighbor's wrong ones do not
            // hold it up.
            return isRight ? .granted : fail(Account(source: source, name: nil), now: now)
        case .basic(let name, let password):
            return decide(name: name, password: password, from: source, awaited: awaited, now: now)
        }
    }

    private mutating func decide(
        name: [UInt8], password: [UInt8], from source: ClientSource, awaited: KeyedDigest.Value?, now: UInt64
    ) -> Decision {
        let account = Account(source: source, name: digest.value(of: [name]))
        guard !hashes.isEmpty, PasswordHash.isPossible(password) else { return fail(account, now: now) }
        let known = users[name]
        let hash = known ?? decoy(for: name)
        let key = digest.value(of: [name, Array(hash.utf8), password, [known == nil ? 0 : 1]])
        if awaited == key {
            if right.contains(key) { return .granted }
            if wrong.contains(key) { return .denied }
            if unable.contains(key) { return .unable }
            if pending[key] != nil { return .undecided(key) }
        }
        // Before anything that is remembered: throttled is throttled, also with the right password.
        if attempts.isExhausted(account, now: now) { return .throttled }
        if right.contains(key) { return .granted }
        if wrong.contains(key) { return fail(account, now: now) }
        if unable.contains(key) { return .unable }
        if pending[key] != nil { return .undecided(key) }
        if looks.isExhausted(source, now: now) { return .throttled }
        let job = PasswordVerifier.Job(
            digest: key, source: source, password: password, hash: hash, isKnown: known != nil)
        guard verifier?.submit(job) == true else { return .throttled }
        // Charged now, and not with the verdict: a client that hangs up meanwhile has had its attempt.
        attempts.charge(account, now: now)
        looks.charge(source, now: now)
        pending[key] = 0
        return .undecided(key)
    }

    /// Adds a connection that waits for the verdict on an undecided password (see ``decide(_:from:awaited:now:)``).
    mutating func addWaiter(for key: KeyedDigest.Value) {
        pending[key]? += 1
    }

    /// Removes a waiting connection. A password in the queue without waiting connections is removed from it.
    /// - Returns: whether the password was removed.
    @discardableResult
    mutating func removeWaiter(for key: KeyedDigest.Value) -> Bool {
        guard let count = pending[key] else { return false }
        pending[key] = count - 1
        guard count <= 1, verifier?.withdraw(key) == true else { return false }
        pending[key] = nil
        return true
    }

    /// A hash for an unknown name: one of the configured hashes, always the same for the same name. So unknown names
    /// cost as much as known ones, and the time tells nothing, also where hashes are of several kinds.
    private func decoy(for name: [UInt8]) -> String {
        hashes[Int(digest.value(of: [name]).first % UInt64(hashes.count))]
    }

    private mutating func fail(_ account: Account, now: UInt64) -> Decision {
        if attempts.isExhausted(account, now: now) { return .throttled }
        attempts.charge(account, now: now)
        return .denied
    }

    /// Takes the verdicts that have arrived. The caller then asks again for each waiting connection, and calls
    /// ``forgetUnable()``.
    mutating func takeVerdicts() {
        for verdict in verifier?.takeVerdicts() ?? [] {
            pending[verdict.digest] = nil
            switch verdict.isRight {
            case true?: right.insert(verdict.digest)
            case false?: wrong.insert(verdict.digest)
            case nil: unable.insert(verdict.digest)
            }
        }
    }

    /// Forgets failed checks, so that the next request has its password checked again.
    mutating func forgetUnable() { unable = [] }
}
